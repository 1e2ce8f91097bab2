; What the installer says. The first language is the one for systems with neither.

!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "German"

!macro TEXT NAME ENGLISH GERMAN
  LangString ${NAME} ${LANG_ENGLISH} "${ENGLISH}"
  LangString ${NAME} ${LANG_GERMAN} "${GERMAN}"
!macroend

!insertmacro TEXT WelcomeTitle "Redraft ${VERSION}" "Redraft ${VERSION}"
!insertmacro TEXT WelcomeNew \
  "Write with a text-diffusion model on your own PC, and watch whole paragraphs come into focus.$\r$\n$\r$\nRedraft is installed for you alone, needs no administrator, and nothing you type leaves your PC." \
  "Schreiben Sie mit einem Text-Diffusionsmodell auf dem eigenen PC und sehen Sie zu, wie ganze Absätze scharf werden.$\r$\n$\r$\nRedraft wird nur für Sie installiert, braucht keinen Administrator, und nichts, was Sie schreiben, verlässt Ihren PC."
!insertmacro TEXT WelcomeRepair \
  "Redraft ${VERSION} is installed already. Going on repairs it: all its files are made anew.$\r$\n$\r$\nYour chats, models and settings stay as they are." \
  "Redraft ${VERSION} ist schon installiert. Wenn Sie fortfahren, wird es repariert: alle seine Dateien werden neu angelegt.$\r$\n$\r$\nIhre Chats, Modelle und Einstellungen bleiben, wie sie sind."
!insertmacro TEXT WelcomeUpdate \
  "Redraft $Previous becomes Redraft ${VERSION}.$\r$\n$\r$\nYour chats, models and settings stay as they are." \
  "Aus Redraft $Previous wird Redraft ${VERSION}.$\r$\n$\r$\nIhre Chats, Modelle und Einstellungen bleiben, wie sie sind."
!insertmacro TEXT StartNow "Start Redraft now" "Redraft jetzt starten"

!insertmacro TEXT CopyingFiles "Copying files" "Dateien werden kopiert"
!insertmacro TEXT CopyingPython "Copying Python" "Python wird kopiert"
!insertmacro TEXT FetchingPython "Fetching Python (about 25 MB)" "Python wird geladen (etwa 25 MB)"
!insertmacro TEXT MakingEnvironment "Making Redraft's private environment" \
  "Die private Umgebung von Redraft wird angelegt"
!insertmacro TEXT Checking "Checking that Redraft starts" "Es wird geprüft, ob Redraft startet"
!insertmacro TEXT Switching "Switching to the new files" "Die neuen Dateien werden eingesetzt"

!insertmacro TEXT NeedsWindows "Redraft needs Windows 10, version 1809, or newer." \
  "Redraft braucht Windows 10, Version 1809, oder neuer."
!insertmacro TEXT NeedsX64 \
  "This PC has an ARM processor. Redraft needs one of Intel's or AMD's kind (x64)." \
  "Dieser PC hat einen ARM-Prozessor. Redraft braucht einen von der Art von Intel oder AMD (x64)."
!insertmacro TEXT OtherSetup \
  "Redraft is being installed or removed already. Wait until that has ended, then start again." \
  "Redraft wird gerade schon installiert oder entfernt. Warten Sie, bis das zu Ende ist, und starten Sie dann noch einmal."
!insertmacro TEXT IsRunning "Redraft is open. Close it, then try again." \
  "Redraft ist geöffnet. Schließen Sie es und versuchen Sie es dann noch einmal."
!insertmacro TEXT IsNewer \
  "Redraft $Previous is installed, and this is the older ${VERSION}. An older version may not read what the newer one has written. Install it all the same?" \
  "Redraft $Previous ist installiert, und dies ist die ältere Version ${VERSION}. Eine ältere Version kann vielleicht nicht lesen, was die neuere geschrieben hat. Trotzdem installieren?"
!insertmacro TEXT Elsewhere \
  "Redraft is installed in $0. Remove it there first, or leave the folder out to renew it." \
  "Redraft ist in $0 installiert. Entfernen Sie es dort zuerst, oder lassen Sie den Ordner weg, um es zu erneuern."
!insertmacro TEXT ForeignFolder \
  "$INSTDIR already has a folder called app that is not Redraft's. Please choose another folder." \
  "In $INSTDIR gibt es schon einen Ordner app, der nicht zu Redraft gehört. Bitte wählen Sie einen anderen Ordner."
!insertmacro TEXT TooLong \
  "The path of this folder is too long for Windows. Please choose one with at most ${LONGEST} characters." \
  "Der Pfad dieses Ordners ist zu lang für Windows. Bitte wählen Sie einen mit höchstens ${LONGEST} Zeichen."
!insertmacro TEXT ReadOnly \
  "Nothing can be written in $INSTDIR. Please start again and choose another folder." \
  "In $INSTDIR kann nichts geschrieben werden. Bitte starten Sie noch einmal und wählen Sie einen anderen Ordner."
!insertmacro TEXT DiskFull \
  "Redraft needs ${SIZE_MB} MB in $INSTDIR, and $0 MB are free. Free some space, then start again." \
  "Redraft braucht ${SIZE_MB} MB in $INSTDIR, und $0 MB sind frei. Schaffen Sie Platz und starten Sie dann noch einmal."
!insertmacro TEXT FilesInUse \
  "Files of Redraft are in use, by itself or by an antivirus program. Close what uses them, then start again." \
  "Dateien von Redraft werden gerade benutzt, von ihm selbst oder einem Virenschutz. Schließen Sie, was sie benutzt, und starten Sie dann noch einmal."
!insertmacro TEXT NoPython \
  "Python could not be fetched. Check the network, then try again." \
  "Python konnte nicht geladen werden. Prüfen Sie das Netz und versuchen Sie es dann noch einmal."
!insertmacro TEXT NoEnvironment \
  "Redraft's private environment could not be made. Start again; if it stays so, please report what is in $INSTDIR\setup.log." \
  "Die private Umgebung von Redraft konnte nicht angelegt werden. Starten Sie noch einmal; wenn es so bleibt, melden Sie bitte, was in $INSTDIR\setup.log steht."
!insertmacro TEXT DoesNotStart \
  "Redraft does not start on this PC, so nothing was changed. Please report what is in $INSTDIR\setup.log." \
  "Redraft startet auf diesem PC nicht, darum wurde nichts geändert. Bitte melden Sie, was in $INSTDIR\setup.log steht."

!insertmacro TEXT DataTitle "Models and chats" "Modelle und Chats"
!insertmacro TEXT DataSubtitle "They stay unless you tick them." \
  "Sie bleiben, wenn Sie nichts ankreuzen."
!insertmacro TEXT DataText \
  "Redraft will be there again with all of it if you install it once more. Models that lie in a folder of your own are never touched." \
  "Wenn Sie Redraft noch einmal installieren, ist alles wieder da. Modelle in einem eigenen Ordner werden nie angerührt."
!insertmacro TEXT DataModels "Remove the models that Redraft has fetched" \
  "Die Modelle entfernen, die Redraft geladen hat"
!insertmacro TEXT DataChats "Remove chats, unsaved texts and settings" \
  "Chats, ungespeicherte Texte und Einstellungen entfernen"
