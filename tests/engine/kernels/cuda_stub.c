// A CUDA driver without a GPU: it writes down what it is asked, and answers made-up numbers.
// CUDA_STUB_LOG: the file. CUDA_STUB_FAILS: the function that answers error 700.
#include <cuda.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY(...)                                                                                   \
  do {                                                                                             \
    FILE *log = fopen(getenv("CUDA_STUB_LOG"), "a");                                               \
    fprintf(log, "%s", __func__);                                                                  \
    fprintf(log, __VA_ARGS__);                                                                     \
    fputc('\n', log);                                                                              \
    fclose(log);                                                                                   \
    const char *bad = getenv("CUDA_STUB_FAILS");                                                   \
    if (bad && !strcmp(bad, __func__))                                                             \
      return 700;                                                                                  \
  } while (0)

static _Thread_local CUcontext current;
static int sizes[64], count;

// What the next launches have as arguments: bytes of each.
void stub_expect(int n, const int *bytes) {
  count = n;
  memcpy(sizes, bytes, n * sizeof(int));
}

CUresult cuGetErrorString(CUresult code, const char **words) {
  *words = code == 700 ? "an illegal memory access was encountered" : "another error";
  return 0;
}
CUresult cuDeviceGet(CUdevice *device, int number) {
  SAY(" %d", number);
  *device = number;
  return 0;
}
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute which, CUdevice device) {
  SAY(" %d %d", which, device);
  *value = which == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN ? 101376 : 1000 + which;
  return 0;
}
CUresult cuCtxGetCurrent(CUcontext *context) {
  SAY(" ");
  *context = current;
  return 0;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  SAY(" %d", device);
  *context = (CUcontext)0x51;
  return 0;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  SAY(" %p", (void *)context);
  current = context;
  return 0;
}
CUresult cuCtxGetLimit(size_t *value, CUlimit limit) {
  SAY(" %d", limit);
  *value = 1048576;
  return 0;
}
CUresult cuCtxSetLimit(CUlimit limit, size_t value) {
  SAY(" %d %zu", limit, value);
  return 0;
}
CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  SAY(" %.8s", (const char *)image);
  *module = (CUmodule)0x7f0000000011;
  return 0;
}
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  SAY(" %p %s", (void *)module, name);
  *function = (CUfunction)0x7f0000000022;
  return 0;
}
CUresult cuFuncGetAttribute(int *value, CUfunction_attribute which, CUfunction function) {
  SAY(" %d %p", which, (void *)function);
  *value = which == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 16 + 4 * which;
  return 0;
}
CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute which, int value) {
  SAY(" %p %d %d", (void *)function, which, value);
  return 0;
}
CUresult cuFuncSetCacheConfig(CUfunction function, CUfunc_cache config) {
  SAY(" %p %d", (void *)function, config);
  return 0;
}
CUresult cuPointerGetAttribute(void *data, CUpointer_attribute which, CUdeviceptr pointer) {
  SAY(" %d %llx", which, pointer);
  if (pointer == 0xbad)
    return CUDA_ERROR_INVALID_VALUE;
  *(CUdeviceptr *)data = pointer + 0x1000;  // a GPU may know the memory by another address
  return 0;
}
CUresult cuLaunchKernelEx(const CUlaunchConfig *how, CUfunction f, void **params, void **extra) {
  char given[4096] = "";
  for (int i = 0; i < count; i++) {
    uint64_t value = 0;
    memcpy(&value, params[i], sizes[i]);
    sprintf(given + strlen(given), " %llx", (unsigned long long)value);
  }
  SAY(" %u %u %u, %u %u %u, %u, %p, %u, %p, %d:%s", how->gridDimX, how->gridDimY, how->gridDimZ,
      how->blockDimX, how->blockDimY, how->blockDimZ, how->sharedMemBytes, (void *)how->hStream,
      how->numAttrs, (void *)f, extra != NULL, given);
  return 0;
}
CUresult cuDriverGetVersion(int *version) {
  *version = 13000;
  return 0;
}
