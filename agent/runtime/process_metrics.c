// SPDX-License-Identifier: Apache-2.0
#include "process_metrics_priv.h"

#include "version.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

ist_status process_metrics_init(process_metrics *metrics, ist_metrics *registry)
{
    static const ist_metric_def BUILD = {.kind = IST_METRIC_GAUGE,
                                         .name = "isthmus_build_info",
                                         .help = "Always 1; the labels say what is running.",
                                         .label_1 = "version",
                                         .label_2 = "compiler"};
    ist_metric_family *build = ist_metrics_family(registry, &BUILD);
    *metrics = (process_metrics){
        .cpu =
            ist_metrics_single(registry, IST_METRIC_COUNTER, "process_cpu_seconds_total", "User and system CPU time."),
        .resident = ist_metrics_single(registry, IST_METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory."),
        .virtual_size =
            ist_metrics_single(registry, IST_METRIC_GAUGE, "process_virtual_memory_bytes", "Virtual memory."),
        .open_fds = ist_metrics_single(registry, IST_METRIC_GAUGE, "process_open_fds", "Open file descriptors."),
        .max_fds = ist_metrics_single(registry, IST_METRIC_GAUGE, "process_max_fds",
                                      "Most file descriptors that may be open."),
        .start_time =
            ist_metrics_single(registry, IST_METRIC_GAUGE, "process_start_time_seconds", "Start time since 1970."),
        .threads = ist_metrics_single(registry, IST_METRIC_GAUGE, "process_threads", "Threads."),
    };
    if (build == NULL || metrics->threads == NULL) {
        return IST_ENOMEM;
    }
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail for this clock
    ist_metric_set(metrics->start_time, (double)now.tv_sec);
    ist_metric_set(ist_metric_series(build, IST_VERSION, IST_COMPILER, NULL), 1);
    return IST_OK;
}

static double count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    double count = -3; // ".", ".." and the directory itself
    if (directory == NULL) {
        return 0;
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

static void refresh_memory(const process_metrics *metrics)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long size = 0;
    unsigned long resident = 0;
    if (file != NULL && fscanf(file, "%lu %lu", &size, &resident) == 2) {
        double page = (double)sysconf(_SC_PAGESIZE);
        ist_metric_set(metrics->virtual_size, (double)size * page);
        ist_metric_set(metrics->resident, (double)resident * page);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static double count_threads(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[128];
    unsigned threads = 0;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "Threads: %u", &threads) == 1) {
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return threads;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void process_metrics_refresh(const process_metrics *metrics)
{
    struct rusage usage;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        ist_metric_set(metrics->cpu, seconds(usage.ru_utime) + seconds(usage.ru_stime));
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        ist_metric_set(metrics->max_fds, (double)limit.rlim_cur);
    }
    ist_metric_set(metrics->open_fds, count_descriptors());
    ist_metric_set(metrics->threads, count_threads());
    refresh_memory(metrics);
}
