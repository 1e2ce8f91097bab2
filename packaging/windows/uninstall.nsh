; Removal. Models and chats stay unless the user ticks them, or names them: /S /MODELS /CHATS.

!undef UN
!define UN "un." ; for the macros of common.nsh

Var RemoveModels ; 1 if they go
Var RemoveChats
Var ModelsBox
Var ChatsBox

Function un.onInit
  Call un.CheckAlone
  Call un.CheckNotRunning
  StrCpy $RemoveModels 0
  StrCpy $RemoveChats 0
  ${GetParameters} $0
  ClearErrors
  ${GetOptions} $0 "/MODELS" $1
  ${IfNot} ${Errors}
    StrCpy $RemoveModels 1
  ${EndIf}
  ClearErrors
  ${GetOptions} $0 "/CHATS" $1
  ${IfNot} ${Errors}
    StrCpy $RemoveChats 1
  ${EndIf}
FunctionEnd

Function un.DataPage
  !insertmacro MUI_HEADER_TEXT "$(DataTitle)" "$(DataSubtitle)"
  nsDialogs::Create 1018
  Pop $0
  ${If} $0 == error
    Abort
  ${EndIf}
  ${NSD_CreateLabel} 0 0 100% 30u "$(DataText)"
  Pop $0
  ${NSD_CreateCheckbox} 0 40u 100% 12u "$(DataModels)"
  Pop $ModelsBox
  ${NSD_CreateCheckbox} 0 58u 100% 12u "$(DataChats)"
  Pop $ChatsBox
  ${NSD_SetState} $ModelsBox $RemoveModels
  ${NSD_SetState} $ChatsBox $RemoveChats
  nsDialogs::Show
FunctionEnd

Function un.DataPageLeave
  ${NSD_GetState} $ModelsBox $RemoveModels
  ${NSD_GetState} $ChatsBox $RemoveChats
FunctionEnd

Section "Uninstall"
  SetOutPath "$TEMP"
  ${If} ${FileExists} "$INSTDIR\app\*.*"
    !insertmacro REMOVE_FOLDER "$INSTDIR\app.old"
    !insertmacro RENAME_FOLDER "$INSTDIR\app" "$INSTDIR\app.old"
    ${If} ${Errors}
      !insertmacro FAIL ${CODE_RUNNING} "$(FilesInUse)"
    ${EndIf}
  ${EndIf}
  !insertmacro REMOVE_FOLDER "$INSTDIR\app.old"
  !insertmacro REMOVE_FOLDER "$INSTDIR\app.new"
  !insertmacro REMOVE_FOLDER "$INSTDIR\python"
  Delete "$INSTDIR\setup.log"
  Delete "$SMPROGRAMS\Redraft.lnk"
  Delete "$DESKTOP\Redraft.lnk"
  DeleteRegKey HKCU "${KEY}"
  Call un.RemoveData
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR" ; only where nothing of the user's lies in it
SectionEnd

; What can be fetched again always goes; the rest as chosen.
Function un.RemoveData
  RMDir /r "${DATA}\versions"
  RMDir /r "${DATA}\layers"
  RMDir /r "${DATA}\cache"
  ${If} $RemoveModels = 1
    !insertmacro REMOVE_TREE "${DATA}\models"
  ${EndIf}
  ${If} $RemoveChats = 1
    FindFirst $0 $1 "${DATA}\*.*"
    ${DoUntil} $1 == ""
      ${If} $1 != "."
      ${AndIf} $1 != ".."
      ${AndIf} $1 != "models"
        Delete "${DATA}\$1"
        !insertmacro REMOVE_TREE "${DATA}\$1"
      ${EndIf}
      FindNext $0 $1
    ${Loop}
    FindClose $0
  ${EndIf}
  RMDir "${DATA}"
FunctionEnd

!undef UN
!define UN ""
