; Exit codes, and what the installer and the uninstaller do alike.

!define CODE_FAILED 2       ; NSIS's own for whatever has no code below; 1: the user cancelled
!define CODE_OTHER_SETUP 3
!define CODE_RUNNING 4      ; Redraft runs, or something holds its files
!define CODE_NEWER 5        ; a newer version is installed
!define CODE_SYSTEM 6       ; not a 64-bit x86 Windows 10 (1809) or newer
!define CODE_FOLDER 7       ; the folder cannot be used, or its disk is too full
!define CODE_PYTHON 8       ; Python could not be fetched
!define CODE_ENVIRONMENT 9  ; the environment could not be made, or does not work
!define CODE_ELSEWHERE 10   ; /D names another folder than that of the installed copy

!define PATIENCE 20 ; tries, half a second apart, where a file is held for a moment

; Ends the installation with this exit code. The user sees why; the log keeps it.
!macro FAIL CODE TEXT
  StrCpy $Problem "${TEXT}"
  Push ${CODE}
  Call ${UN}Undo
  MessageBox MB_OK|MB_ICONEXCLAMATION "$Problem" /SD IDOK
  Call ${UN}End
!macroend

; The same where the user has seen why, and has chosen not to try again.
!macro GIVE_UP CODE TEXT
  StrCpy $Problem "${TEXT}"
  Push ${CODE}
  Call ${UN}Undo
  Call ${UN}End
!macroend

; Antivirus programs hold new files for a moment: tried again for ten seconds. Sets the error flag.
!macro RENAME_FOLDER OLD NEW
  Push "${OLD}"
  Push "${NEW}"
  Call ${UN}RenameFolder
!macroend

; Removes a folder of our own that may be half of one; fails if it stays.
!macro REMOVE_FOLDER FOLDER
  Push "${FOLDER}"
  Call ${UN}RemoveFolder
!macroend

; Removes a folder with what is in it; of a junction only itself, never what it leads to.
!macro REMOVE_TREE FOLDER
  System::Call 'kernel32::GetFileAttributesW(w "${FOLDER}") i .r9'
  IntOp $9 $9 & 0x400 ; FILE_ATTRIBUTE_REPARSE_POINT
  ${If} $9 = 0
    RMDir /r "${FOLDER}"
  ${Else}
    RMDir "${FOLDER}"
  ${EndIf}
!macroend

!macro COMMON_FUNCTIONS
Function ${UN}Undo
  Pop $0
  SetErrorLevel $0
  !if "${UN}" == ""
    Push "failed ($0): $Problem"
    Call Log
    Call DropUnfinished
  !endif
FunctionEnd

Function ${UN}End
  ${If} ${Silent}
    Quit
  ${EndIf}
  Abort "$Problem"
FunctionEnd

Function ${UN}RenameFolder
  Exch $1 ; the new name
  Exch
  Exch $0 ; the old one
  Push $2
  ${For} $2 1 ${PATIENCE}
    ClearErrors
    Rename "$0" "$1"
    ${IfNot} ${Errors}
      ${Break}
    ${EndIf}
    Sleep 500
  ${Next}
  ${If} $2 > ${PATIENCE}
    SetErrors
  ${EndIf}
  Pop $2
  Pop $0
  Pop $1
FunctionEnd

Function ${UN}RemoveFolder
  Exch $0
  Push $1
  ${For} $1 1 ${PATIENCE}
    RMDir /r "$0"
    ${IfNot} ${FileExists} "$0\*.*"
      ${Break}
    ${EndIf}
    Sleep 500
  ${Next}
  ${If} ${FileExists} "$0\*.*"
    !insertmacro FAIL ${CODE_RUNNING} "$(FilesInUse)"
  ${EndIf}
  Pop $1
  Pop $0
FunctionEnd

; One setup at a time: the handle lives as long as this process.
Function ${UN}CheckAlone
  System::Call 'kernel32::CreateMutexW(p 0, i 1, w "Local\RedraftSetup") p .r0 ?e'
  Pop $1
  ${If} $1 = 183 ; ERROR_ALREADY_EXISTS
    !insertmacro FAIL_EARLY ${CODE_OTHER_SETUP} "$(OtherSetup)"
  ${EndIf}
FunctionEnd

; The installed version, and those that updates have brought: any of them may be the one that runs.
Function ${UN}CheckNotRunning
  Push "$INSTDIR\app"
  Call ${UN}WaitForEnd
  FindFirst $1 $2 "${DATA}\versions\*.*"
  ${DoUntil} $2 == ""
    ${If} $2 != "."
    ${AndIf} $2 != ".."
      Push "${DATA}\versions\$2"
      Call ${UN}WaitForEnd
    ${EndIf}
    FindNext $1 $2
  ${Loop}
  FindClose $1
FunctionEnd

; A program that runs cannot be opened for writing. Asks until it is closed, or ends the setup.
Function ${UN}WaitForEnd
  Exch $3 ; the folder that its environment is in
  ${Do}
    ${IfNot} ${FileExists} "$3\env\Scripts\pythonw.exe"
      ${Break}
    ${EndIf}
    ClearErrors
    FileOpen $0 "$3\env\Scripts\pythonw.exe" a
    ${IfNot} ${Errors}
      FileClose $0
      ${Break}
    ${EndIf}
    ${IfNot} ${Cmd} `MessageBox MB_RETRYCANCEL|MB_ICONINFORMATION "$(IsRunning)" /SD IDCANCEL IDRETRY`
      SetErrorLevel ${CODE_RUNNING}
      Quit
    ${EndIf}
  ${Loop}
  Pop $3
FunctionEnd
!macroend

; The same before there is anything to clean up, or a page to show it on.
!macro FAIL_EARLY CODE TEXT
  SetErrorLevel ${CODE}
  MessageBox MB_OK|MB_ICONEXCLAMATION "${TEXT}" /SD IDOK
  Quit
!macroend

!define UN ""
!insertmacro COMMON_FUNCTIONS
!undef UN
!define UN "un."
!insertmacro COMMON_FUNCTIONS
!undef UN
!define UN ""
