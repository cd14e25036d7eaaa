/* A wall clock that is SHIFT_MS off, for one process: `LD_PRELOAD=shifted_clock.so SHIFT_MS=250`. Other clocks stay. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t which, struct timespec *told) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(which, told);
    const char *shift = which == CLOCK_REALTIME ? getenv("SHIFT_MS") : NULL;
    if (rc || !shift) return rc;
    long long ns = told->tv_sec * 1000000000LL + told->tv_nsec + atoll(shift) * 1000000LL;
    told->tv_sec = (time_t)(ns / 1000000000LL);
    told->tv_nsec = (long)(ns % 1000000000LL);
    return 0;
}
