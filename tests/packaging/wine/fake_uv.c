/* Stands in for uv.exe, and for the python.exe and pythonw.exe that uv puts into an environment.
 *
 * Appends one line a call to the file FAKE_LOG: its name and arguments, then every variable of the
 * environment that could lead uv or Python elsewhere. FAKE_FAIL names the call that fails: python,
 * venv, pip or check; FAKE_WAIT the one that takes five seconds. pythonw.exe runs until it is ended.
 */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

static int is_call(const wchar_t *variable, const wchar_t *call)
{
    wchar_t value[64] = L"";
    GetEnvironmentVariableW(variable, value, 64);
    return wcscmp(value, call) == 0;
}

static void write_file(const wchar_t *folder, const wchar_t *name)
{
    wchar_t path[MAX_PATH];
    swprintf(path, MAX_PATH, L"%ls\\%ls", folder, name);
    FILE *file = _wfopen(path, L"w");
    if (file)
        fclose(file);
}

static void copy_self(const wchar_t *folder, const wchar_t *name)
{
    wchar_t self[MAX_PATH], path[MAX_PATH];
    GetModuleFileNameW(NULL, self, MAX_PATH);
    swprintf(path, MAX_PATH, L"%ls\\%ls", folder, name);
    CopyFileW(self, path, FALSE);
}

static void make_folders(const wchar_t *folder)
{
    wchar_t path[MAX_PATH];
    for (size_t i = 0; folder[i]; i++) {
        if (folder[i] == L'\\' && i > 2) {
            wcsncpy(path, folder, i);
            path[i] = 0;
            CreateDirectoryW(path, NULL);
        }
    }
    CreateDirectoryW(folder, NULL);
}

static void append_utf8(FILE *file, const wchar_t *text)
{
    char bytes[4096];
    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes, NULL, NULL);
    fprintf(file, "\t%s", bytes);
}

static void log_call(const wchar_t *name, int argc, wchar_t **argv)
{
    wchar_t path[MAX_PATH] = L"";
    GetEnvironmentVariableW(L"FAKE_LOG", path, MAX_PATH);
    FILE *file = _wfopen(path, L"ab");
    if (!file)
        return;
    append_utf8(file, name);
    for (int i = 1; i < argc; i++)
        append_utf8(file, argv[i]);
    for (wchar_t *each = GetEnvironmentStringsW(); *each; each += wcslen(each) + 1)
        if (!wcsncmp(each, L"UV_", 3) || !wcsncmp(each, L"PIP_", 4) || !wcsncmp(each, L"PYTHON", 6)
            || !wcsncmp(each, L"VIRTUAL_ENV", 11) || !wcsncmp(each, L"CONDA_", 6))
            append_utf8(file, each);
    fprintf(file, "\n");
    fclose(file);
}

static const wchar_t *after(const wchar_t *option, int argc, wchar_t **argv)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!wcscmp(argv[i], option))
            return argv[i + 1];
    return L"";
}

static int act(const wchar_t *call, int argc, wchar_t **argv)
{
    wchar_t path[MAX_PATH];
    if (is_call(L"FAKE_WAIT", call))
        Sleep(5000);
    if (is_call(L"FAKE_FAIL", call)) {
        fprintf(stderr, "error: this call was told to fail\n");
        return 2;
    }
    if (!wcscmp(call, L"python")) {
        swprintf(path, MAX_PATH, L"%ls\\cpython-%ls-windows-x86_64-none",
                 after(L"--install-dir", argc, argv), argv[3]);
        make_folders(path);
        copy_self(path, L"python.exe");
    } else if (!wcscmp(call, L"venv")) {
        swprintf(path, MAX_PATH, L"%ls\\Scripts", argv[argc - 1]);
        make_folders(path);
        copy_self(path, L"python.exe");
        copy_self(path, L"pythonw.exe");
    } else if (!wcscmp(call, L"pip")) {
        swprintf(path, MAX_PATH, L"%ls", after(L"--python", argc, argv));
        *wcsstr(path, L"\\Scripts") = 0;
        write_file(path, L"installed");
    }
    return 0;
}

int wmain(int argc, wchar_t **argv)
{
    wchar_t self[MAX_PATH];
    GetModuleFileNameW(NULL, self, MAX_PATH);
    const wchar_t *name = wcsrchr(self, L'\\') + 1;
    log_call(name, argc, argv);
    if (!_wcsicmp(name, L"pythonw.exe")) {
        Sleep(INFINITE);
    }
    if (!_wcsicmp(name, L"python.exe"))
        return act(L"check", argc, argv);
    return act(argc > 1 ? argv[1] : L"", argc, argv);
}
