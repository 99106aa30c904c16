// SPDX-License-Identifier: Apache-2.0
//
// A load of DNS questions over UDP with exact accounting: every question ends as answered or lost, every answer is compared with
// the question that has its id. One socket, one thread.
//
//   dnsload -p PORT -q FILE [-w OUTSTANDING | -r RATE] [-t SECONDS] [-n QUESTIONS]
//
// -w (default 64): closed loop; that many questions are always under way, so the server is what is waited for. -w 1 is a
// round trip. -r: open loop; so many questions a second by the clock, answered or not, and a latency counts from the moment
// at which its question was due. FILE: "NAME TYPE" lines (A, AAAA), as dnsperf reads them, asked over and over.
// Prints one line of JSON. Linux; no dependency: cc -O2 -D_GNU_SOURCE -o dnsload dnsload.c
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 16, REPLY_BYTES = 2048, QUESTION_BYTES = 272, HEADER_BYTES = 12, QUESTIONS_MAX = 1 << 16, IDS = 1 << 16 };
enum { LOST_MS = 1000, SOCKET_BYTES = 4 << 20 };
enum { SUB_BITS = 5, SUB = 1 << SUB_BITS, BUCKETS = SUB * 40 }; // a histogram with steps of 3 %
#define SECOND_NS INT64_C(1000000000)

typedef struct question {
    uint16_t length; // of header and question
    uint8_t bytes[QUESTION_BYTES];
} question;

typedef struct flight {
    int64_t due_ns; // 0 = not under way
    uint32_t question;
} flight;

typedef struct load {
    int fd;
    uint16_t port;
    uint32_t outstanding; // closed loop; 0 = open loop
    double rate;          // open loop, in 1/s
    double seconds;
    uint64_t count; // most questions
    question *questions;
    uint32_t question_count;
    flight *flights; // by id
    uint32_t under_way;
    uint64_t sent;
    uint64_t answered;
    uint64_t lost;
    uint64_t unexpected; // late, twice, or another question
    uint64_t outcomes[4]; // with data, without data, NXDOMAIN, others
    uint64_t histogram[BUCKETS];
    double sum_us;
    int64_t max_ns;
} load;

static int64_t now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

// --- Latencies ------------------------------------------------------------------------------------------------------

static size_t bucket_of(uint64_t ns)
{
    if (ns < SUB) {
        return ns;
    }
    unsigned shift = 63 - SUB_BITS - (unsigned)__builtin_clzll(ns);
    size_t bucket = (size_t)(shift + 1) * SUB + ((ns >> shift) & (SUB - 1));
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double bucket_us(size_t bucket)
{
    size_t shift = bucket / SUB;
    double ns = shift == 0 ? (double)bucket : ((double)(SUB + bucket % SUB) + 0.5) * (double)(UINT64_C(1) << (shift - 1));
    return ns / 1000;
}

static double percentile_us(const load *l, double share)
{
    uint64_t left = (uint64_t)((double)l->answered * share);
    for (size_t i = 0; i < BUCKETS; i++) {
        if (l->histogram[i] > left) {
            return bucket_us(i);
        }
        left -= l->histogram[i];
    }
    return (double)l->max_ns / 1000;
}

// --- Questions ------------------------------------------------------------------------------------------------------

// Header with RD and one question; false: not a name.
static bool make_question(question *q, const char *name, const char *type)
{
    static const uint8_t header[HEADER_BYTES] = {0, 0, 1, 0, 0, 1};
    size_t at = HEADER_BYTES;
    memcpy(q->bytes, header, sizeof(header));
    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        if (label == 0 || label > 63 || at + label + 6 > sizeof(q->bytes)) {
            return false;
        }
        q->bytes[at++] = (uint8_t)label;
        memcpy(q->bytes + at, name, label);
        at += label;
        name += label + (name[label] == '.' ? 1 : 0);
    }
    q->bytes[at++] = 0;
    q->bytes[at++] = 0;
    q->bytes[at++] = strcmp(type, "AAAA") == 0 ? 28 : 1;
    q->bytes[at++] = 0;
    q->bytes[at++] = 1;
    q->length = (uint16_t)at;
    return true;
}

static bool read_questions(load *l, const char *path)
{
    char name[256];
    char type[8];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return false;
    }
    while (l->question_count < QUESTIONS_MAX && fscanf(file, "%255s %7s", name, type) == 2) {
        if (!make_question(&l->questions[l->question_count], name, type)) {
            (void)fprintf(stderr, "dnsload: %s: \"%s\" is no name\n", path, name);
            (void)fclose(file);
            return false;
        }
        l->question_count++;
    }
    (void)fclose(file);
    return l->question_count > 0;
}

// --- Sending --------------------------------------------------------------------------------------------------------

static void lose(load *l, flight *f)
{
    f->due_ns = 0;
    l->under_way--;
    l->lost++;
}

// Sends `count` (at most BATCH) questions; those that the kernel does not take are lost.
static void send_questions(load *l, unsigned count, const int64_t *due_ns)
{
    struct mmsghdr messages[BATCH] = {0};
    struct iovec vectors[BATCH][2];
    uint16_t ids[BATCH];
    for (unsigned i = 0; i < count; i++) {
        uint16_t id = (uint16_t)l->sent;
        flight *f = &l->flights[id];
        if (f->due_ns != 0) {
            lose(l, f);
        }
        *f = (flight){.due_ns = due_ns[i], .question = (uint32_t)(l->sent % l->question_count)};
        question *q = &l->questions[f->question];
        ids[i] = htons(id);
        vectors[i][0] = (struct iovec){.iov_base = &ids[i], .iov_len = sizeof(ids[i])};
        vectors[i][1] = (struct iovec){.iov_base = q->bytes + sizeof(ids[i]), .iov_len = q->length - sizeof(ids[i])};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors[i], .msg_iovlen = 2};
        l->sent++;
        l->under_way++;
    }
    unsigned done = 0;
    while (done < count) {
        int now = sendmmsg(l->fd, messages + done, count - done, 0);
        if (now > 0) {
            done += (unsigned)now;
        } else if (errno != EINTR && errno != ECONNREFUSED) { // the latter is about an earlier one
            lose(l, &l->flights[ntohs(ids[done++])]);
        }
    }
}

// --- Receiving ------------------------------------------------------------------------------------------------------

static size_t outcome_of(const uint8_t *reply)
{
    unsigned rcode = reply[3] & 15u;
    bool data = reply[6] != 0 || reply[7] != 0;
    return rcode == 0 ? (data ? 0 : 1) : (rcode == 3 ? 2 : 3);
}

static void take_reply(load *l, const uint8_t *reply, size_t length, int64_t at_ns)
{
    flight *f = length >= HEADER_BYTES ? &l->flights[(size_t)reply[0] << 8 | reply[1]] : NULL;
    const question *q = f != NULL && f->due_ns != 0 ? &l->questions[f->question] : NULL;
    bool ours = q != NULL && (reply[2] & 0x80) != 0 && length >= q->length &&
                memcmp(reply + HEADER_BYTES, q->bytes + HEADER_BYTES, q->length - HEADER_BYTES) == 0;
    if (!ours) {
        l->unexpected++;
        return;
    }
    int64_t ns = at_ns > f->due_ns ? at_ns - f->due_ns : 0;
    l->histogram[bucket_of((uint64_t)ns)]++;
    l->max_ns = ns > l->max_ns ? ns : l->max_ns;
    l->sum_us += (double)ns / 1000;
    l->outcomes[outcome_of(reply)]++;
    l->answered++;
    l->under_way--;
    f->due_ns = 0;
}

// What there is, up to a batch; waits for the first one, up to the socket's time-out, unless told not to.
static int receive(load *l, int flags)
{
    static uint8_t replies[BATCH][REPLY_BYTES];
    struct mmsghdr messages[BATCH] = {0};
    struct iovec vectors[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){.iov_base = replies[i], .iov_len = REPLY_BYTES};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(l->fd, messages, BATCH, flags, NULL);
    int64_t at_ns = count > 0 ? now_ns() : 0;
    for (int i = 0; i < count; i++) {
        take_reply(l, replies[i], messages[i].msg_len, at_ns);
    }
    return count;
}

// --- The two loops --------------------------------------------------------------------------------------------------

static void lose_all(load *l)
{
    for (size_t i = 0; i < IDS; i++) {
        if (l->flights[i].due_ns != 0) {
            lose(l, &l->flights[i]);
        }
    }
}

static bool is_over(const load *l, int64_t end_ns)
{
    return l->sent >= l->count || now_ns() >= end_ns;
}

// A time-out of the socket means that all that is under way is lost.
static void run_closed(load *l, int64_t end_ns)
{
    while (!is_over(l, end_ns)) {
        while (l->under_way < l->outstanding && l->sent < l->count) {
            int64_t due_ns[BATCH];
            unsigned room = l->outstanding - l->under_way;
            unsigned count = room < BATCH ? room : BATCH;
            count = l->count - l->sent < count ? (unsigned)(l->count - l->sent) : count;
            int64_t at_ns = now_ns();
            for (unsigned i = 0; i < count; i++) {
                due_ns[i] = at_ns;
            }
            send_questions(l, count, due_ns);
        }
        if (receive(l, MSG_WAITFORONE) <= 0 && errno != EINTR && errno != ECONNREFUSED) {
            lose_all(l);
        }
    }
}

// Never sleeps: waking up would be measured as well.
static void run_open(load *l, int64_t start_ns, int64_t end_ns)
{
    uint64_t limit = (uint64_t)((double)(end_ns - start_ns) / 1e9 * l->rate);
    limit = l->count < limit ? l->count : limit;
    while (l->sent < limit) {
        int64_t due_ns[BATCH];
        uint64_t due = (uint64_t)((double)(now_ns() - start_ns) / 1e9 * l->rate) + 1;
        due = due < limit ? due : limit;
        unsigned count = 0;
        while (count < BATCH && l->sent + count < due) {
            due_ns[count] = start_ns + (int64_t)((double)(l->sent + count) / l->rate * 1e9);
            count++;
        }
        if (count > 0) {
            send_questions(l, count, due_ns);
        }
        (void)receive(l, MSG_DONTWAIT);
    }
}

static void drain(load *l)
{
    int64_t end_ns = now_ns() + LOST_MS * INT64_C(1000000);
    while (l->under_way > 0 && now_ns() < end_ns) {
        (void)receive(l, MSG_WAITFORONE);
    }
    lose_all(l);
}

// --- Program --------------------------------------------------------------------------------------------------------

static bool parse_options(load *l, int argc, char **argv, const char **ret_path)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        bool ok = false;
        if (strcmp(argv[i], "-p") == 0) {
            ok = sscanf(value, "%" SCNu16, &l->port) == 1;
        } else if (strcmp(argv[i], "-w") == 0) {
            ok = sscanf(value, "%" SCNu32, &l->outstanding) == 1 && l->outstanding > 0 && l->outstanding < IDS;
        } else if (strcmp(argv[i], "-r") == 0) {
            l->outstanding = 0;
            ok = sscanf(value, "%lf", &l->rate) == 1 && l->rate >= 1;
        } else if (strcmp(argv[i], "-t") == 0) {
            ok = sscanf(value, "%lf", &l->seconds) == 1;
        } else if (strcmp(argv[i], "-n") == 0) {
            ok = sscanf(value, "%" SCNu64, &l->count) == 1;
        } else if (strcmp(argv[i], "-q") == 0) {
            *ret_path = value;
            ok = true;
        }
        if (!ok) {
            return false;
        }
    }
    return argc % 2 == 1 && l->port != 0 && *ret_path != NULL;
}

static bool open_socket(load *l)
{
    struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_port = htons(l->port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = LOST_MS / 1000};
    int bytes = SOCKET_BYTES;
    l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&server, sizeof(server)) != 0 ||
        setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
        perror("dnsload: socket");
        return false;
    }
    (void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); // as much as the kernel allows
    return true;
}

static void print(const load *l, double seconds)
{
    printf("{\"sent\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"unexpected\": %" PRIu64, l->sent,
           l->answered, l->lost, l->unexpected);
    printf(", \"data\": %" PRIu64 ", \"nodata\": %" PRIu64 ", \"nxdomain\": %" PRIu64 ", \"other\": %" PRIu64,
           l->outcomes[0], l->outcomes[1], l->outcomes[2], l->outcomes[3]);
    printf(", \"seconds\": %.3f, \"rate\": %.1f, \"mean_us\": %.2f", seconds, (double)l->answered / seconds,
           l->answered > 0 ? l->sum_us / (double)l->answered : 0);
    printf(", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.1f}\n", percentile_us(l, 0.5),
           percentile_us(l, 0.99), percentile_us(l, 0.999), (double)l->max_ns / 1000);
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    load l = {.outstanding = 64, .seconds = 4, .count = UINT64_MAX};
    if (!parse_options(&l, argc, argv, &path)) {
        (void)fprintf(stderr, "usage: dnsload -p PORT -q FILE [-w OUTSTANDING | -r RATE] [-t SECONDS] [-n QUESTIONS]\n");
        return EXIT_FAILURE;
    }
    l.questions = calloc(QUESTIONS_MAX, sizeof(*l.questions));
    l.flights = calloc(IDS, sizeof(*l.flights));
    if (l.questions == NULL || l.flights == NULL || !read_questions(&l, path) || !open_socket(&l)) {
        return EXIT_FAILURE;
    }
    int64_t start_ns = now_ns();
    int64_t end_ns = start_ns + (int64_t)(l.seconds * 1e9);
    if (l.outstanding > 0) {
        run_closed(&l, end_ns);
    } else {
        run_open(&l, start_ns, end_ns);
    }
    double seconds = (double)(now_ns() - start_ns) / 1e9;
    drain(&l);
    print(&l, seconds);
    free(l.questions);
    free(l.flights);
    return EXIT_SUCCESS;
}
