// SPDX-License-Identifier: Apache-2.0
#include "upstream_priv.h"

#include "base/alloc.h"
#include "base/log.h"

// --- Channels -------------------------------------------------------------------------------------------------------

static void free_channel(ist_dns_channel *channel)
{
    ist_dns_channel_done(channel);
    ist_free(channel);
}

static void sweep(void *ctx)
{
    ist_dns_upstreams *upstreams = ctx;

    for (ist_dns_channel **at = &upstreams->first; *at != NULL;) {
        ist_dns_channel *channel = *at;
        if (channel->refs == 0) {
            *at = channel->next;
            free_channel(channel);
        } else {
            at = &channel->next;
        }
    }
}

void ist_dns_upstreams_init(ist_dns_upstreams *upstreams, ist_loop *loop, ist_metrics *metrics)
{
    *upstreams = (ist_dns_upstreams){.loop = loop, .metrics = metrics};
    upstreams->sweep = (ist_loop_timer){.fire = sweep, .ctx = upstreams};
}

void ist_dns_upstreams_done(ist_dns_upstreams *upstreams)
{
    while (upstreams->first != NULL) {
        ist_dns_channel *channel = upstreams->first;
        upstreams->first = channel->next;
        free_channel(channel); // packets that are under way end here
    }
    ist_loop_disarm(upstreams->loop, &upstreams->sweep);
}

void ist_dns_upstream_ref(ist_dns_channel *channel)
{
    channel->refs++;
}

void ist_dns_upstream_unref(ist_dns_upstreams *upstreams, ist_dns_channel *channel)
{
    if (--channel->refs == 0 && ist_loop_arm(upstreams->loop, &upstreams->sweep, 0) != IST_OK) {
        IST_DEBUG(IST_LOG_DNS, "out of memory: an upstream is taken down with the next one");
    }
}

// The channel to an address, made where there is none; counted for the caller.
static ist_status take_channel(ist_dns_upstreams *upstreams, const ist_dns_address *address,
                               ist_dns_channel **ret_channel, ist_err *err)
{
    for (ist_dns_channel *each = upstreams->first; each != NULL; each = each->next) {
        if (ist_dns_address_equal(&each->address, address)) {
            ist_dns_upstream_ref(each);
            *ret_channel = each;
            return IST_OK;
        }
    }
    ist_dns_channel *channel = IST_NEW(ist_dns_channel);
    if (channel == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    ist_dns_channel_init(channel, upstreams->loop, address);
    if (upstreams->metrics != NULL) {
        ist_dns_channel_measure(channel, upstreams->metrics);
    }
    channel->refs = 1;
    channel->next = upstreams->first;
    upstreams->first = channel;
    *ret_channel = channel;
    return IST_OK;
}

// --- Sets -----------------------------------------------------------------------------------------------------------

static bool has_channel(const ist_dns_upstream_set *set, const ist_dns_channel *channel)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->channels[i] == channel) {
            return true;
        }
    }
    return false;
}

ist_status ist_dns_upstream_set_new(ist_dns_upstreams *upstreams, const ist_dns_address *addresses, size_t count,
                                    ist_dns_upstream_set **ret_set, ist_err *err)
{
    ist_dns_upstream_set *set = IST_NEW(ist_dns_upstream_set);

    if (set == NULL) {
        return ist_err_set(err, IST_ENOMEM, "out of memory");
    }
    set->refs = 1;
    for (size_t i = 0; i < count; i++) {
        ist_dns_channel *channel = NULL;
        ist_status status = take_channel(upstreams, &addresses[i], &channel, err);
        if (status != IST_OK) {
            ist_dns_upstream_set_unref(upstreams, set);
            return status;
        }
        if (has_channel(set, channel)) {
            ist_dns_upstream_unref(upstreams, channel);
        } else {
            set->channels[set->count++] = channel;
        }
    }
    *ret_set = set;
    return IST_OK;
}

ist_dns_upstream_set *ist_dns_upstream_set_ref(ist_dns_upstream_set *set)
{
    set->refs++;
    return set;
}

void ist_dns_upstream_set_unref(ist_dns_upstreams *upstreams, ist_dns_upstream_set *set)
{
    if (set == NULL || --set->refs > 0) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        ist_dns_upstream_unref(upstreams, set->channels[i]);
    }
    ist_free(set);
}
