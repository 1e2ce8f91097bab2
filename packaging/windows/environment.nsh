; Python and the private environment, made by uv beside what is in use.

!ifdef PYTHON_ID
  !define PYTHON_FOLDER "$INSTDIR\python\${PYTHON_ID}"
!else
  !define PYTHON_FOLDER "$INSTDIR\python\cpython-${PYTHON}-windows-x86_64-none"
!endif

!define FULL_MB 20 ; less than this is a full disk

; Runs a program without a window and keeps what it says. Sets $0 to its exit code, or "error".
!macro RUN COMMAND
  Push `${COMMAND}`
  Call Log
  nsExec::ExecToStack `${COMMAND}`
  Pop $0
  Pop $Problem
  Push "exit code $0 $Problem"
  Call Log
!macroend

Function OpenLog
  Delete "$INSTDIR\setup.log"
  ${GetTime} "" "L" $0 $1 $2 $3 $4 $5 $6
  Push "Redraft ${VERSION} into $INSTDIR, before: '$Previous', $2-$1-$0 $4:$5"
  Call Log
FunctionEnd

; Adds a line to $INSTDIR\setup.log.
Function Log
  Exch $9
  Push $8
  ClearErrors
  FileOpen $8 "$INSTDIR\setup.log" a
  ${IfNot} ${Errors}
    FileSeek $8 0 END
    FileWriteUTF16LE /BOM $8 "$9$\r$\n"
    FileClose $8
  ${EndIf}
  Pop $8
  Pop $9
FunctionEnd

; Takes every variable out of this process that would lead uv or Python elsewhere. What it starts
; begins without them, too; the user's own settings stay as they are.
Function CleanProcess
  System::Call 'kernel32::GetEnvironmentStringsW() p .r0'
  StrCpy $1 $0
  ${Do}
    System::Call 'kernel32::lstrlenW(p r1) i .r2'
    ${If} $2 = 0
      ${Break}
    ${EndIf}
    System::Call 'kernel32::lstrcpynW(w .r3, p r1, i 200)' ; its name and the begin of its value
    Call NameOfVariable
    StrCpy $4 $3 3
    StrCpy $5 $3 4
    StrCpy $6 $3 6
    ${If} $4 == "UV_"
    ${OrIf} $5 == "PIP_"
    ${OrIf} $6 == "PYTHON"
    ${OrIf} $6 == "CONDA_"
    ${OrIf} $3 == "VIRTUAL_ENV"
      System::Call 'kernel32::SetEnvironmentVariableW(w r3, p 0)'
    ${EndIf}
    IntOp $2 $2 + 1
    IntOp $2 $2 * 2
    IntPtrOp $1 $1 + $2
  ${Loop}
  System::Call 'kernel32::FreeEnvironmentStringsW(p r0)'
FunctionEnd

; Cuts $3 at its first "=".
Function NameOfVariable
  ${For} $4 0 200
    StrCpy $5 $3 1 $4
    ${If} $5 == "="
    ${OrIf} $5 == ""
      StrCpy $3 $3 $4
      ${Break}
    ${EndIf}
  ${Next}
FunctionEnd

Function MakeEnvironment
  Call MakePython
  DetailPrint "$(MakingEnvironment)"
  StrCpy $R0 '"$INSTDIR\app.new\uv.exe"'
  StrCpy $R1 '--no-config --offline --no-progress --color never --no-cache'
  !insertmacro RUN '$R0 venv --relocatable --no-python-downloads $R1 --python "${PYTHON_FOLDER}\python.exe" "$INSTDIR\app.new\env"'
  ${If} $0 != 0
    Call FailIfDiskFull
    !insertmacro FAIL ${CODE_ENVIRONMENT} "$(NoEnvironment)"
  ${EndIf}
  !insertmacro RUN '$R0 pip install --no-deps --no-index --require-hashes $R1 --compile-bytecode --find-links "$INSTDIR\app.new\wheels" --python "$INSTDIR\app.new\env\Scripts\python.exe" -r "$INSTDIR\app.new\locks\gui-windows.txt"'
  ${If} $0 != 0
    Call FailIfDiskFull
    !insertmacro FAIL ${CODE_ENVIRONMENT} "$(NoEnvironment)"
  ${EndIf}
  DetailPrint "$(Checking)"
  !insertmacro RUN '"$INSTDIR\app.new\env\Scripts\python.exe" -I -c "import PySide6.QtWidgets, app.__main__"'
  ${If} $0 != 0
    Call FailIfDiskFull
    !insertmacro FAIL ${CODE_ENVIRONMENT} "$(DoesNotStart)"
  ${EndIf}
FunctionEnd

; Where the disk is full, that is why something went wrong.
Function FailIfDiskFull
  Call FreeMegabytes
  ${If} $0 < ${FULL_MB}
    !insertmacro FAIL ${CODE_FOLDER} "$(DiskFull)"
  ${EndIf}
FunctionEnd

!ifdef PYTHON_ID
; The Python that came along. `ready` is written last, so that half of one is made again.
Function MakePython
  ${If} ${FileExists} "${PYTHON_FOLDER}\ready"
  ${AndIf} $Previous != "${VERSION}" ; the same version once more is a repair
    Return
  ${EndIf}
  DetailPrint "$(CopyingPython)"
  !insertmacro REMOVE_FOLDER "${PYTHON_FOLDER}"
  SetOutPath "${PYTHON_FOLDER}"
  File /r "${PAYLOAD}/../python/*"
  FileOpen $0 "${PYTHON_FOLDER}\ready" w
  FileClose $0
  SetOutPath "$INSTDIR"
FunctionEnd
!else
; Python from its own site; uv knows its hash. What is there already is kept and needs no network.
Function MakePython
  DetailPrint "$(FetchingPython)"
  ${Do}
    !insertmacro RUN '"$INSTDIR\app.new\uv.exe" python install ${PYTHON} --install-dir "$INSTDIR\python" --no-bin --no-registry --no-config --no-progress --color never --system-certs --no-cache'
    ${If} $0 == 0
    ${AndIf} ${FileExists} "${PYTHON_FOLDER}\python.exe"
      Return
    ${EndIf}
    ${TrimNewLines} "$Problem" $Problem
    DetailPrint "$Problem"
    ${IfNot} ${Cmd} `MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "$(NoPython)" /SD IDCANCEL IDRETRY`
      !insertmacro GIVE_UP ${CODE_PYTHON} "$(NoPython)"
    ${EndIf}
  ${Loop}
FunctionEnd
!endif

; Gives up after ten seconds: the next setup begins with the same.
Function DropUnfinished
  SetOutPath "$INSTDIR"
  SetDetailsPrint none
  ${For} $1 1 ${PATIENCE}
    RMDir /r "$INSTDIR\app.new"
    ${IfNot} ${FileExists} "$INSTDIR\app.new\*.*"
      ${Break}
    ${EndIf}
    Sleep 500
  ${Next}
  SetDetailsPrint both
FunctionEnd

; Pythons that no environment uses any more.
Function RemoveOldPythons
  FindFirst $0 $1 "$INSTDIR\python\*.*"
  ${DoUntil} $1 == ""
    ${If} $1 != "."
    ${AndIf} $1 != ".."
    ${AndIf} "$INSTDIR\python\$1" != "${PYTHON_FOLDER}"
      !insertmacro REMOVE_TREE "$INSTDIR\python\$1"
    ${EndIf}
    FindNext $0 $1
  ${Loop}
  FindClose $0
FunctionEnd
