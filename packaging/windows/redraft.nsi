; The installer for Windows: per user, 64 bits, no administrator.
;
; windows_setup.py calls makensis with PAYLOAD (a folder), VERSION, FILE_VERSION (a.b.c.d), SIZE_MB,
; PYTHON (as "3.12.1"), OUTPUT, and where a Python comes along PYTHON_ID, with its files in `python`
; beside the payload.
;
; $INSTDIR\app      what is in use: uv, wheels, locks, licences, version.json and the environment
; $INSTDIR\app.new  the same while it is made; becomes `app` when all of it works
; $INSTDIR\app.old  the one before, for a moment
; $INSTDIR\python   the Python that the environment is made of

Unicode true
Target amd64-unicode
ManifestDPIAware true
ManifestSupportedOS Win10
RequestExecutionLevel user
SetCompressor lzma
SetDateSave off
CRCCheck force
AllowSkipFiles off
BrandingText " "
Name "Redraft"
OutFile "${OUTPUT}"
InstallDir "$LOCALAPPDATA\Programs\Redraft"
ShowInstDetails show
ShowUninstDetails show

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Redraft"
!define DATA "$LOCALAPPDATA\redraft"
!define LONGEST 75 ; characters of $INSTDIR: Windows allows 260, Qt's wheel takes 151 of them

VIProductVersion "${FILE_VERSION}"
VIAddVersionKey "ProductName" "Redraft"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Redraft Setup"
VIAddVersionKey "CompanyName" "The Redraft project"
VIAddVersionKey "LegalCopyright" "Apache License 2.0"

!include LogicLib.nsh
!include MUI2.nsh
!include FileFunc.nsh
!include TextFunc.nsh
!include WordFunc.nsh
!include WinVer.nsh
!include x64.nsh

Var Previous ; the version that is installed, or empty
Var Welcome  ; what the first page says
Var Problem  ; what went wrong last, for the log and the user

!define MUI_ICON "redraft.ico"
!define MUI_UNICON "redraft.ico"
!define MUI_WELCOMEFINISHPAGE_BITMAP "page.bmp"
!define MUI_ABORTWARNING
!define MUI_WELCOMEPAGE_TITLE "$(WelcomeTitle)"
!define MUI_WELCOMEPAGE_TEXT "$Welcome"
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_TEXT "$(StartNow)"
!define MUI_FINISHPAGE_RUN_FUNCTION StartRedraft

!insertmacro MUI_PAGE_WELCOME
!define MUI_PAGE_CUSTOMFUNCTION_PRE OnlyTheFirstTime
!insertmacro MUI_PAGE_LICENSE "${PAYLOAD}/licences/Apache-2.0.txt"
!define MUI_PAGE_CUSTOMFUNCTION_PRE OnlyTheFirstTime
!define MUI_PAGE_CUSTOMFUNCTION_LEAVE CheckFolder
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH

!insertmacro MUI_UNPAGE_CONFIRM
UninstPage custom un.DataPage un.DataPageLeave
!insertmacro MUI_UNPAGE_INSTFILES

!include texts.nsh
!include common.nsh
!include checks.nsh
!include environment.nsh
!include uninstall.nsh

Section "Redraft"
  AddSize ${SIZE_MB}000
  Call CheckFolder
  Call CheckSpace
  SetOutPath "$INSTDIR"
  Call OpenLog
  Call Recover
  DetailPrint "$(CopyingFiles)"
  !insertmacro REMOVE_FOLDER "$INSTDIR\app.new"
  SetOutPath "$INSTDIR\app.new"
  !include "${PAYLOAD}/../files.nsh"
  Call MakeEnvironment
  Call Switch
  Call Register
  Call RemoveOldPythons
  SetErrorLevel 0
SectionEnd

; Puts app.new in the place of app. Where that fails, what was there stays or comes back.
Function Switch
  DetailPrint "$(Switching)"
  SetOutPath "$INSTDIR"
  ${If} ${FileExists} "$INSTDIR\app\*.*"
    !insertmacro RENAME_FOLDER "$INSTDIR\app" "$INSTDIR\app.old"
    ${If} ${Errors}
      !insertmacro FAIL ${CODE_RUNNING} "$(FilesInUse)"
    ${EndIf}
  ${EndIf}
  !insertmacro RENAME_FOLDER "$INSTDIR\app.new" "$INSTDIR\app"
  ${If} ${Errors}
    !insertmacro RENAME_FOLDER "$INSTDIR\app.old" "$INSTDIR\app"
    !insertmacro FAIL ${CODE_RUNNING} "$(FilesInUse)"
  ${EndIf}
  RMDir /r "$INSTDIR\app.old"
FunctionEnd

; What a run that was ended half-way left behind: without `app`, the one before comes back.
Function Recover
  ${If} ${FileExists} "$INSTDIR\app.old\version.json"
  ${AndIfNot} ${FileExists} "$INSTDIR\app\version.json"
    !insertmacro RENAME_FOLDER "$INSTDIR\app.old" "$INSTDIR\app"
    ${If} ${Errors}
      !insertmacro FAIL ${CODE_RUNNING} "$(FilesInUse)"
    ${EndIf}
  ${EndIf}
  !insertmacro REMOVE_FOLDER "$INSTDIR\app.old"
FunctionEnd

Function Register
  WriteUninstaller "$INSTDIR\uninstall.exe"
  WriteRegStr HKCU "${KEY}" "DisplayName" "Redraft"
  WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${KEY}" "DisplayIcon" "$INSTDIR\app\redraft.ico"
  WriteRegStr HKCU "${KEY}" "Publisher" "The Redraft project"
  WriteRegStr HKCU "${KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${KEY}" "EstimatedSize" ${SIZE_MB}000
  WriteRegDWORD HKCU "${KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
  ; A program's working folder cannot be renamed while it runs: not the one that is switched.
  SetOutPath "$INSTDIR"
  CreateShortcut "$SMPROGRAMS\Redraft.lnk" "$INSTDIR\app\env\Scripts\pythonw.exe" "-I -m app" \
    "$INSTDIR\app\redraft.ico"
  ${If} $Previous == ""
    CreateShortcut "$DESKTOP\Redraft.lnk" "$INSTDIR\app\env\Scripts\pythonw.exe" "-I -m app" \
      "$INSTDIR\app\redraft.ico"
  ${EndIf}
FunctionEnd

Function StartRedraft
  SetOutPath "$INSTDIR"
  Exec '"$INSTDIR\app\env\Scripts\pythonw.exe" -I -m app'
FunctionEnd
