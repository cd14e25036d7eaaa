/* A wall clock that is SHIFT_MS off, or as many milliseconds as the file SHIFT_FILE says now, for one process:
   `LD_PRELOAD=shifted_clock.so SHIFT_MS=250`. Other clocks stay. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long shift_ms(void) {
    const char *shift = getenv("SHIFT_MS"), *path = getenv("SHIFT_FILE");
    char told[32] = "0";
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        ssize_t length = read(file, told, sizeof told - 1);
        told[length > 0 ? length : 0] = 0;
        close(file);
        shift = told;
    }
    return shift ? atoll(shift) : 0;
}

int clock_gettime(clockid_t which, struct timespec *told) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(which, told);
    if (rc || which != CLOCK_REALTIME) return rc;
    long long ns = told->tv_sec * 1000000000LL + told->tv_nsec + shift_ms() * 1000000LL;
    told->tv_sec = (time_t)(ns / 1000000000LL);
    told->tv_nsec = (long)(ns % 1000000000LL);
    return 0;
}
