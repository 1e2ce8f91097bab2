; What must hold before anything is written.

Function .onInit
  ${IfNot} ${AtLeastBuild} 17763 ; Windows 10, version 1809: the oldest that Qt runs on
    !insertmacro FAIL_EARLY ${CODE_SYSTEM} "$(NeedsWindows)"
  ${EndIf}
  ${If} ${IsNativeARM64}
    !insertmacro FAIL_EARLY ${CODE_SYSTEM} "$(NeedsX64)"
  ${EndIf}
  Call CheckAlone
  Call FindPrevious
  Call CheckVersion
  Call CheckNotRunning
  Call CleanProcess
  StrCpy $Welcome "$(WelcomeNew)"
  ${If} $Previous == "${VERSION}"
    StrCpy $Welcome "$(WelcomeRepair)"
  ${ElseIf} $Previous != ""
    StrCpy $Welcome "$(WelcomeUpdate)"
  ${EndIf}
FunctionEnd

; $Previous and $INSTDIR of the copy that is installed. A copy that somebody deleted is none.
Function FindPrevious
  ReadRegStr $0 HKCU "${KEY}" "InstallLocation"
  ReadRegStr $Previous HKCU "${KEY}" "DisplayVersion"
  ${If} $0 == ""
  ${OrIfNot} ${FileExists} "$0\app*"
    StrCpy $Previous ""
    Return
  ${EndIf}
  ${If} $INSTDIR == "$LOCALAPPDATA\Programs\Redraft" ; nobody has chosen another one
    StrCpy $INSTDIR $0
  ${ElseIf} $INSTDIR != $0
    !insertmacro FAIL_EARLY ${CODE_ELSEWHERE} "$(Elsewhere)"
  ${EndIf}
FunctionEnd

Function CheckVersion
  ${If} $Previous == ""
    Return
  ${EndIf}
  ${VersionCompare} "$Previous" "${VERSION}" $0
  ${If} $0 = 1
    ${IfNot} ${Cmd} `MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "$(IsNewer)" /SD IDNO IDYES`
      SetErrorLevel ${CODE_NEWER}
      Quit
    ${EndIf}
  ${EndIf}
FunctionEnd

; A copy that is there is renewed where it is, and its licence has been seen.
Function OnlyTheFirstTime
  ${If} $Previous != ""
    Abort
  ${EndIf}
FunctionEnd

; `app` in a folder of something else is not ours to replace.
Function CheckFolder
  StrCpy $Problem ""
  StrLen $0 "$INSTDIR"
  ${If} $0 > ${LONGEST}
    StrCpy $Problem "$(TooLong)"
  ${ElseIf} $Previous == ""
  ${AndIf} ${FileExists} "$INSTDIR\app\*.*"
  ${AndIfNot} ${FileExists} "$INSTDIR\app\version.json"
    StrCpy $Problem "$(ForeignFolder)"
  ${EndIf}
  ${If} $Problem == ""
    Return
  ${EndIf}
  MessageBox MB_OK|MB_ICONEXCLAMATION "$Problem" /SD IDOK
  ${If} ${Silent}
    SetErrorLevel ${CODE_FOLDER}
    Quit
  ${EndIf}
  Abort ; stays on the page
FunctionEnd

Function CheckSpace
  ClearErrors
  CreateDirectory "$INSTDIR"
  ClearErrors
  FileOpen $0 "$INSTDIR\setup.log" a
  ${If} ${Errors}
    !insertmacro FAIL ${CODE_FOLDER} "$(ReadOnly)"
  ${EndIf}
  FileClose $0
  Call FreeMegabytes
  ${If} $0 < ${SIZE_MB}
    !insertmacro FAIL ${CODE_FOLDER} "$(DiskFull)"
  ${EndIf}
FunctionEnd

; Sets $0 to what is free where Redraft goes.
Function FreeMegabytes
  System::Call 'kernel32::GetDiskFreeSpaceExW(w "$INSTDIR", *l .r0, p 0, p 0)'
  System::Int64Op $0 / 1000000
  Pop $0
FunctionEnd

; Files that could not be written: NSIS has said so. What has come so far goes.
Function .onInstFailed
  Call DropUnfinished
FunctionEnd
