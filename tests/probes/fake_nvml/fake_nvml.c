/* A small libnvidia-ml.so.1 for tests: the functions that the probe calls, with values that a control file bends.
 *
 * The control file (environment FAKE_NVML, 4096 bytes of text) is mapped, so a test changes it while we run:
 *   gpus=2          number of GPUs
 *   hang=F@1;       function F never returns for GPU 1 while this stands (F; without @: for every GPU)
 *   fail=F:3;       function F returns error 3
 *   lost=1;         GPU 1 is lost: every call that names it returns 15
 *   epoch=7;        a driver reload: calls return 1 until the library is opened again
 *   gone=9;         opening returns this error
 *   util=200;       percent that the utilisation shows
 *   mig=2;          GPU 0 has so many slices
 *   xid=79;         an error event, given once to each event set
 *   xidstorm;       a new error event at every look, numbered from 1
 *   nofield=82;     numbered field 82 is not supported
 *   nogpm;          no profiling counters
 *   zerogpm;        profiling counters that show nothing
 *   gpmall=99.5;    what all of them show, in percent
 *   gpmfail=5;      metric 5 is not supported
 *   throttle=64;    reasons that hold the clocks, 4 unless said
 *   ecc=1;          double-bit memory errors
 *   pid=77;         who computes, 4242 unless said
 *   pidof=100;      who computes on GPU 0; on each further one the next number
 * Structures and numbers: pynvml.py of nvidia-ml-py 13.615.71.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef struct { unsigned gpu; int slice; } device;
typedef struct { device *of; unsigned given; } event_set;
typedef struct { double at_s; } gpm_sample;
typedef struct { unsigned metric; int status; double value; const char *names[3]; } gpm_metric;
typedef struct { unsigned version, n; gpm_sample *one, *two; gpm_metric metrics[1]; } gpm_get;
typedef union { double d; unsigned u; unsigned long long ull; } value;
typedef struct { uint32_t field, scope; int64_t at, latency; unsigned type; int status; value v; } field_value;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process;
typedef struct { device *of; unsigned long long type, data; unsigned gi, ci; } event;
typedef struct { unsigned version, supported; } gpm_support;

enum { OK = 0, UNINITIALIZED = 1, ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, SMALL = 7, TIMEOUT = 10, LOST = 15 };

static const volatile char *control;
static long opened_epoch = -1;
static device gpus[64], slices[8];

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static const char *find(const char *word) { return strstr((const char *)control, word); }

static long number(const char *word, long otherwise) {
    const char *at = find(word);
    return at ? atol(at + strlen(word)) : otherwise;
}

/* What every call does first; `of` is NULL for a call that names no GPU. */
static int enter(const char *function, const device *of) {
    char everywhere[96], here[96], fails[96];
    snprintf(everywhere, sizeof everywhere, "hang=%s;", function);
    snprintf(here, sizeof here, "hang=%s@%u;", function, of ? of->gpu : 999);
    snprintf(fails, sizeof fails, "fail=%s:", function);
    while (find(everywhere) || find(here)) nanosleep(&(struct timespec){0, 5000000}, NULL);
    if (opened_epoch != number("epoch=", 0)) return UNINITIALIZED;
    if (of && number("lost=", -1) == (long)of->gpu) return LOST;
    return (int)number(fails, OK);
}

#define ENTER(of) do { int status_ = enter(__func__, of); if (status_) return status_; } while (0)

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (!control) {
        int fd = open(getenv("FAKE_NVML"), O_RDONLY);
        control = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        for (unsigned i = 0; i < 64; i++) gpus[i] = (device){i, -1};
        for (int i = 0; i < 8; i++) slices[i] = (device){0, i};
    }
    opened_epoch = number("epoch=", 0);
    if (number("gone=", 0)) return (int)number("gone=", 0);
    return enter(__func__, NULL);
}

int nvmlShutdown(void) { opened_epoch = -1; return OK; }
const char *nvmlErrorString(int status) { (void)status; return "fake error"; }
int nvmlDeviceGetCount_v2(unsigned *n) { ENTER(NULL); *n = (unsigned)number("gpus=", 1); return OK; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    ENTER(NULL);
    snprintf(text, size, "580.0");
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, device **of) {
    ENTER(&gpus[i]);
    *of = &gpus[i];
    return OK;
}

int nvmlDeviceGetUUID(device *of, char *text, unsigned size) {
    ENTER(of);
    if (of->slice < 0) snprintf(text, size, "GPU-fake-%u", of->gpu);
    else snprintf(text, size, "MIG-fake-%u-%d", of->gpu, of->slice);
    return OK;
}

int nvmlDeviceGetName(device *of, char *text, unsigned size) { ENTER(of); snprintf(text, size, "Fake H100"); return OK; }

int nvmlDeviceGetUtilizationRates(device *of, unsigned *rates) {
    ENTER(of);
    rates[0] = (unsigned)number("util=", 42);
    rates[1] = 10;
    return OK;
}

int nvmlDeviceGetMemoryInfo(device *of, unsigned long long *memory) {
    ENTER(of);
    memory[0] = 80ULL << 30;
    memory[1] = 60ULL << 30;
    memory[2] = 20ULL << 30;
    return OK;
}

int nvmlDeviceGetPowerUsage(device *of, unsigned *mw) { ENTER(of); *mw = 350000; return OK; }
int nvmlDeviceGetEnforcedPowerLimit(device *of, unsigned *mw) { ENTER(of); *mw = 700000; return OK; }

int nvmlDeviceGetTotalEnergyConsumption(device *of, unsigned long long *mj) {
    ENTER(of);
    *mj = (unsigned long long)(now_s() * 350000);
    return OK;
}

/* The old name only: the newer nvmlDeviceGetTemperatureV is not there, as in a driver before it. */
int nvmlDeviceGetTemperature(device *of, unsigned sensor, unsigned *c) { ENTER(of); *c = 61 + sensor; return OK; }
int nvmlDeviceGetClockInfo(device *of, unsigned type, unsigned *mhz) { ENTER(of); *mhz = type == 1 ? 1755 : 2619; return OK; }
int nvmlDeviceGetMaxClockInfo(device *of, unsigned type, unsigned *mhz) { ENTER(of); *mhz = 1980 + 0 * type; return OK; }
int nvmlDeviceGetCurrentClocksEventReasons(device *of, unsigned long long *bits) { ENTER(of); *bits = (unsigned long long)number("throttle=", 4); return OK; }

int nvmlDeviceGetFieldValues(device *of, int n, field_value *fields) {
    ENTER(of);
    for (int i = 0; i < n; i++) {
        fields[i].status = number("nofield=", 0) == (long)fields[i].field ? NOT_SUPPORTED : OK;
        fields[i].type = 3;
        switch (fields[i].field) {
            case 82: fields[i].type = 1; fields[i].v.u = 70; break;
            case 4: fields[i].v.ull = (unsigned long long)number("ecc=", 0); break;
            case 144: case 145: fields[i].v.ull = 0; break;
            case 138: case 139: fields[i].v.ull = fields[i].scope == 0xFFFFFFFF ? 1000 : 1; break;
            case 197: case 198: fields[i].v.ull = 123456; break;
            default: fields[i].status = NOT_SUPPORTED;
        }
    }
    return OK;
}

int nvmlEventSetCreate(event_set **set) { ENTER(NULL); *set = calloc(1, sizeof **set); return OK; }
int nvmlEventSetFree(event_set *set) { free(set); return OK; }

int nvmlDeviceRegisterEvents(device *of, unsigned long long types, event_set *set) {
    ENTER(of);
    if (types != 8) return ARGUMENT;
    set->of = of;
    return OK;
}

int nvmlEventSetWait_v2(event_set *set, event *told, unsigned wait_ms) {
    ENTER(NULL);
    unsigned xid = find("xidstorm;") ? set->given + 1 : (unsigned)number("xid=", 0);
    if (wait_ms || xid == set->given) return TIMEOUT;
    set->given = xid;
    *told = (event){set->of, 8, xid, 0, 0};
    return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(device *of, unsigned *n, process *all) {
    ENTER(of);
    if (!all) { *n = 1; return SMALL; }
    unsigned pid = find("pidof=") ? (unsigned)number("pidof=", 0) + of->gpu : (unsigned)number("pid=", 4242);
    all[0] = (process){pid, 20ULL << 30, 0, 0};
    *n = 1;
    return OK;
}

int nvmlDeviceGetMigMode(device *of, unsigned *current, unsigned *pending) {
    ENTER(of);
    *current = *pending = of->gpu == 0 && number("mig=", 0) > 0;
    return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(device *of, unsigned *n) { ENTER(of); *n = 7; return OK; }

/* Slice 1 is a hole. */
int nvmlDeviceGetMigDeviceHandleByIndex(device *of, unsigned i, device **slice) {
    ENTER(of);
    if (i == 1 || i > (unsigned)number("mig=", 0)) return NOT_FOUND;
    *slice = &slices[i];
    return OK;
}

int nvmlDeviceGetGpuInstanceId(device *of, unsigned *id) { ENTER(of); *id = (unsigned)of->slice + 7; return OK; }

int nvmlGpmQueryDeviceSupport(device *of, gpm_support *told) {
    ENTER(of);
    told->supported = !find("nogpm;");
    return OK;
}

int nvmlGpmSampleAlloc(gpm_sample **sample) { ENTER(NULL); *sample = calloc(1, sizeof **sample); return OK; }
int nvmlGpmSampleFree(gpm_sample *sample) { free(sample); return OK; }
int nvmlGpmSampleGet(device *of, gpm_sample *sample) { ENTER(of); sample->at_s = now_s(); return OK; }

int nvmlGpmMigSampleGet(device *of, unsigned instance, gpm_sample *sample) {
    ENTER(of);
    if (instance < 7) return ARGUMENT;
    sample->at_s = now_s();
    return OK;
}

int nvmlGpmMetricsGet(gpm_get *asked) {
    ENTER(NULL);
    if (asked->version != 1 || asked->two->at_s - asked->one->at_s < 0.1) return ARGUMENT;
    for (unsigned i = 0; i < asked->n; i++) {
        const char *all = find("gpmall=");
        asked->metrics[i].status = number("gpmfail=", 0) == (long)asked->metrics[i].metric ? NOT_SUPPORTED : OK;
        asked->metrics[i].value = all ? atof(all + 7) : find("zerogpm;") ? 0 : 10.0 * asked->metrics[i].metric;
    }
    return OK;
}
