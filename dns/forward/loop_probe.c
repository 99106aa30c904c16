// SPDX-License-Identifier: Apache-2.0
#include "loop_probe_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/random.h"
#include "dns_wire/types.h"

#include <string.h>

enum { LABEL_LETTERS = 13, ALPHABET = 26, AGAIN_MS = 30000 };

typedef struct ist_dns_loop_probe {
    ist_dns_flight flight; // first: the channel's pointer to it is ours
    ist_dns_channel *channel;
    bool came_back;
    char name[2 * LABEL_LETTERS + 2];
} probe;

static void name_at_random(char *name)
{
    for (size_t i = 0; i <= 2 * LABEL_LETTERS; i++) {
        name[i] = (char)('a' + ist_random_u64() % ALPHABET); // 26^13 for each label
    }
    name[LABEL_LETTERS] = '.';
    name[2 * LABEL_LETTERS + 1] = '\0';
}

static void arm(ist_dns_loop_probes *probes, int64_t delay_ms)
{
    if (ist_loop_arm(probes->upstreams->loop, &probes->timer, delay_ms) != IST_OK) {
        IST_DEBUG(IST_LOG_DNS, "out of memory: no look for loops until the upstreams change");
    }
}

static void set_looping(ist_dns_channel *channel, bool looping)
{
    char text[IST_DNS_ADDRESS_TEXT_SIZE];

    (void)ist_dns_address_format(&channel->address, text);
    if (looping && !channel->looping) {
        IST_ERROR(
            IST_LOG_DNS,
            "upstream %s is a loop: what we forward to it comes back to us; it is not asked, and probed again every "
            "%d s; name the cluster's DNS with --dns-upstream",
            text, AGAIN_MS / 1000);
    } else if (!looping && channel->looping) {
        IST_NOTICE(IST_LOG_DNS, "upstream %s is no loop any more and is asked again", text);
    }
    channel->looping = looping;
    ist_metric_set(channel->loop_gauge, looping ? 1 : 0);
}

static void on_done(ist_dns_flight *flight, ist_dns_flight_outcome outcome, const uint8_t *packet, size_t length)
{
    probe *done = (probe *)flight;
    ist_dns_channel *channel = done->channel;

    (void)packet; // whatever it says
    (void)length;
    channel->probe = NULL;
    if (outcome == IST_DNS_FLIGHT_REPLY) {
        channel->probed = true;
        set_looping(channel, done->came_back);
    }
    ist_free(done);
}

static void begin(ist_dns_channel *channel)
{
    ist_dns_ask ask;
    probe *new = IST_NEW(probe);

    channel->probe_at_ms = ist_loop_now_ms(channel->loop);
    if (new == NULL) {
        return; // as if it had not answered
    }
    new->flight.done = on_done;
    new->channel = channel;
    name_at_random(new->name);
    if (ist_dns_ask_make(&ask, ist_strv_from(new->name), IST_DNS_TYPE_HINFO) != IST_OK) {
        ist_free(new);
        return;
    }
    channel->probe = new;
    ist_dns_channel_send(channel, &ask, !channel->no_edns, &new->flight);
}

static bool is_due(const ist_dns_channel *channel, int64_t now_ms)
{
    bool fresh = !channel->probed && channel->probe_at_ms == 0;
    bool again = channel->looping && now_ms - channel->probe_at_ms >= AGAIN_MS;

    return channel->refs > 0 && channel->probe == NULL && (fresh || again);
}

static void on_timer(void *ctx)
{
    ist_dns_loop_probes *probes = ctx;
    bool looping = false;

    for (ist_dns_channel *each = probes->upstreams->first; each != NULL; each = each->next) {
        if (is_due(each, ist_loop_now_ms(probes->upstreams->loop))) {
            begin(each);
        }
        looping = looping || each->looping;
    }
    if (looping) {
        arm(probes, AGAIN_MS);
    }
}

void ist_dns_loop_probes_init(ist_dns_loop_probes *probes, ist_dns_upstreams *upstreams)
{
    *probes = (ist_dns_loop_probes){.upstreams = upstreams};
    probes->timer = (ist_loop_timer){.fire = on_timer, .ctx = probes};
}

void ist_dns_loop_probes_done(ist_dns_loop_probes *probes)
{
    ist_loop_disarm(probes->upstreams->loop, &probes->timer);
}

void ist_dns_loop_probes_start(ist_dns_loop_probes *probes)
{
    probes->on = true;
    arm(probes, 0);
}

void ist_dns_loop_probes_used(const ist_dns_loop_probes *probes, ist_dns_channel *channel)
{
    bool long_ago = ist_loop_now_ms(probes->upstreams->loop) - channel->probe_at_ms >= AGAIN_MS;

    if (probes->on && channel->probe == NULL && channel->probe_at_ms != 0 && long_ago) {
        begin(channel);
    }
}

bool ist_dns_loop_probes_came_back(ist_dns_loop_probes *probes, ist_strv name)
{
    for (ist_dns_channel *each = probes->upstreams->first; each != NULL; each = each->next) {
        if (each->probe != NULL && ist_strv_equal(name, ist_strv_from(each->probe->name))) {
            each->probe->came_back = true;
            set_looping(each, true);
            arm(probes, AGAIN_MS);
            return true;
        }
    }
    return false;
}
