// SPDX-License-Identifier: Apache-2.0
//
// What resolves names in the application: resolv.conf, nsswitch.conf, caches, the C library.
#include "doctor_priv.h"

#include "dns_forward/resolv_conf.h"

#include <dirent.h>

#define LIBRARY_SERVERS_MAX 3 // glibc, musl: further lines are not read
#define KUBERNETES_NDOTS 5

// --- Order of name servers ------------------------------------------------------------------------------------------

// The first file of that beginning in /lib; musl's loader is the only one that it can be.
static bool has_musl(const doctor *self)
{
    char path[DOCTOR_PATH_BYTES];
    const char *folder = doctor_path(self, "/lib", path);
    DIR *directory = folder != NULL ? opendir(folder) : NULL;
    const struct dirent *entry;
    bool found = false;
    while (directory != NULL && !found && (entry = readdir(directory)) != NULL) {
        found = ist_strv_starts_with(ist_strv_from(entry->d_name), IST_STRV("ld-musl-"));
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return found;
}

static size_t find_agent(const doctor_addresses *door, const ist_dns_resolv_conf *conf)
{
    size_t at = 0;
    for (; at < conf->server_count; at++) {
        for (size_t i = 0; i < door->count; i++) {
            if (doctor_reaches(&door->items[i].ip, &conf->servers[at].ip)) {
                return at;
            }
        }
    }
    return at;
}

// The agent is the first of several.
static void judge_others(doctor *self, const ist_dns_resolv_conf *conf)
{
    size_t others = conf->server_count - 1;
    bool said = !ist_strv_equal(ist_strv_from(self->libc), IST_STRV("auto"));
    bool musl = said ? ist_strv_equal(ist_strv_from(self->libc), IST_STRV("musl")) : has_musl(self);
    if (musl) {
        doctor_add(self, DOCTOR_WARN, "resolv-conf",
                   "%s names the agent first and %zu more, and the C library is musl, which asks all at once and takes the first "
                   "answer: names of the mesh may fail; name the agent alone, or start it before all that resolves names",
                   self->resolv_conf, others);
    } else if (said) {
        doctor_add(self, DOCTOR_OK, "resolv-conf", "%s names the agent first and %zu more, which glibc asks where it is silent",
                   self->resolv_conf, others);
    } else {
        doctor_add(self, DOCTOR_WARN, "resolv-conf",
                   "%s names the agent first and %zu more: fine for glibc (--libc glibc says that it is), but musl (Alpine) asks "
                   "all at once and takes the first answer: leave the agent alone where nothing resolves before it starts",
                   self->resolv_conf, others);
    }
}

static void judge_order(doctor *self, const doctor_addresses *door, const ist_dns_resolv_conf *conf)
{
    static const ist_dns_addr STUB = {.family = 4, .bytes = {127, 0, 0, 53}};
    char text[IST_DNS_ADDRESS_TEXT_SIZE];
    size_t at = find_agent(door, conf);
    ist_dns_addr asked_at = doctor_asked_at(&door->items[0].ip); // what resolv.conf should name
    const char *wanted = ist_dns_addr_format(&asked_at, text);
    if (at == conf->server_count && conf->server_count != 0 && ist_dns_addr_equal(&conf->servers[0].ip, &STUB)) {
        doctor_add(self, DOCTOR_FAIL, "resolv-conf",
                   "%s names systemd-resolved (127.0.0.53), so nobody asks the agent; write `nameserver %s` instead, and give "
                   "the servers of `resolvectl dns` to --dns-upstream",
                   self->resolv_conf, wanted);
    } else if (at == conf->server_count) {
        doctor_add(self, DOCTOR_FAIL, "resolv-conf",
                   "%s does not name the agent, so nobody asks it; write `nameserver %s` as its first name server",
                   self->resolv_conf, wanted);
    } else if (at != 0) {
        doctor_add(self, DOCTOR_FAIL, "resolv-conf",
                   "%s names the agent behind others, which answer before it; make `nameserver %s` the first",
                   self->resolv_conf, wanted);
    } else if (conf->server_count > 1) {
        judge_others(self, conf);
    } else {
        doctor_add(self, DOCTOR_OK, "resolv-conf", "%s names the agent alone", self->resolv_conf);
    }
    if (conf->server_count > LIBRARY_SERVERS_MAX) {
        doctor_add(self, DOCTOR_WARN, "resolv-conf",
                   "%s names %zu servers, of which libraries read the first %d; remove the others", self->resolv_conf,
                   conf->server_count, LIBRARY_SERVERS_MAX);
    }
}

// --- Its other lines ------------------------------------------------------------------------------------------------

static bool has_option(const char *path, ist_strv option)
{
    ist_buf text = IST_BUF_INIT;
    bool more = doctor_slurp(path, &text);
    bool found = false;
    ist_strv rest = ist_buf_view(&text);
    while (more && !found) {
        ist_strv line = ist_strv_trim(ist_strv_cut(&rest, '\n', &more));
        bool words = ist_strv_equal(ist_strv_cut(&line, ' ', NULL), IST_STRV("options"));
        while (words && !found) {
            found = ist_strv_equal(ist_strv_trim(ist_strv_cut(&line, ' ', &words)), option);
        }
    }
    ist_buf_done(&text);
    return found;
}

static void check_search(doctor *self, const ist_dns_resolv_conf *conf)
{
    ist_buf settings = IST_BUF_INIT;
    ist_buf wanted = IST_BUF_INIT;
    ist_strv namespace_name = cli_text(json_object_get(self->status, "identity"), "namespace");
    ist_strv first = ist_strv_from(conf->search[0]); // empty where there is none
    ist_buf_printf(&settings, "ndots %u, search", conf->ndots);
    for (size_t i = 0; i < conf->search_count; i++) {
        ist_buf_printf(&settings, " %s", conf->search[i]);
    }
    ist_buf_append_str(&settings, conf->search_count == 0 ? " nothing" : "");
    ist_buf_printf(&wanted, "%.*s.svc.", IST_STRV_ARG(namespace_name));
    ist_strv shown = ist_buf_view(&settings);
    if (conf->search_count == 0) {
        doctor_add(self, DOCTOR_WARN, "search",
                   "%.*s: names of the mesh are found in full only; write `search NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN` for "
                   "short ones",
                   IST_STRV_ARG(shown));
    } else if (namespace_name.n != 0 && !ist_strv_starts_with(first, ist_buf_view(&wanted))) {
        doctor_add(self, DOCTOR_WARN, "search",
                   "%.*s: the agent is of namespace %.*s, short names are those of %s; begin with %.*sDOMAIN, or set "
                   "--pod-namespace",
                   IST_STRV_ARG(shown), IST_STRV_ARG(namespace_name), conf->search[0], IST_STRV_ARG(ist_buf_view(&wanted)));
    } else if (conf->ndots < 2) {
        doctor_add(self, DOCTOR_WARN, "search",
                   "%.*s: a name with a dot, such as NAME.NAMESPACE, goes to the upstream as it stands before the search list is "
                   "tried; write `options ndots:%d` as Kubernetes does",
                   IST_STRV_ARG(shown), KUBERNETES_NDOTS);
    } else {
        doctor_add(self, DOCTOR_OK, "search", "%.*s", IST_STRV_ARG(shown));
    }
    ist_buf_done(&settings);
    ist_buf_done(&wanted);
}

static void check_resolv_conf(doctor *self, const doctor_addresses *door)
{
    ist_dns_resolv_conf conf;
    ist_err err = IST_ERR_NULL;
    if (ist_dns_resolv_conf_load(self->resolv_conf, &conf, &err) != IST_OK) {
        doctor_add(self, DOCTOR_FAIL, "resolv-conf", "%s; name the file of the application with --resolv-conf", err.text);
        return;
    }
    if (door->count != 0) {
        judge_order(self, door, &conf);
    }
    if (conf.server_count > 1 && has_option(self->resolv_conf, IST_STRV("rotate"))) {
        doctor_add(self, DOCTOR_FAIL, "resolv-conf",
                   "%s has `options rotate`: the servers are asked in turn, the agent not always; remove it", self->resolv_conf);
    }
    check_search(self, &conf);
}

// --- What stands between --------------------------------------------------------------------------------------------

// The words behind "hosts:", without what is said in brackets.
static bool read_hosts(const char *path, ist_buf *out)
{
    ist_buf text = IST_BUF_INIT;
    bool more = doctor_slurp(path, &text);
    bool found = false;
    ist_strv rest = ist_buf_view(&text);
    while (more && !found) {
        ist_strv line = ist_strv_trim(ist_strv_cut(&rest, '\n', &more));
        line = ist_strv_first(line, ist_strv_find(line, '#'));
        found = ist_strv_equal(ist_strv_trim(ist_strv_cut(&line, ':', NULL)), IST_STRV("hosts"));
        for (bool words = found; words;) {
            ist_strv word = ist_strv_trim(ist_strv_cut(&line, ' ', &words));
            if (word.n != 0 && word.p[0] != '[') {
                ist_buf_printf(out, " %.*s", IST_STRV_ARG(word));
            }
        }
    }
    ist_buf_append_char(out, ' ');
    ist_buf_done(&text);
    return found;
}

// Where the file is missing, glibc asks DNS and then files; musl has no such file.
static void check_nsswitch(doctor *self)
{
    char path[DOCTOR_PATH_BYTES];
    ist_buf hosts = IST_BUF_INIT;
    const char *file = doctor_path(self, "/etc/nsswitch.conf", path);
    if (file == NULL || !read_hosts(file, &hosts)) {
        ist_buf_done(&hosts);
        return;
    }
    ist_strv words = ist_buf_view(&hosts);
    if (ist_strv_contains(words, IST_STRV(" resolve ")) && doctor_exists(self, "/run/systemd/resolve/io.systemd.Resolve")) {
        doctor_add(self, DOCTOR_FAIL, "nsswitch",
                   "%s says hosts:%.*s, and systemd-resolved runs: glibc asks it instead of the servers of resolv.conf; take "
                   "`resolve` out of that line",
                   file, IST_STRV_ARG(words));
    } else if (!ist_strv_contains(words, IST_STRV(" dns "))) {
        doctor_add(self, DOCTOR_FAIL, "nsswitch", "%s says hosts:%.*s: glibc never asks a name server; add `dns` to that line",
                   file, IST_STRV_ARG(words));
    } else {
        doctor_add(self, DOCTOR_OK, "nsswitch", "hosts:%.*s", IST_STRV_ARG(ist_strv_first(words, words.n - 1)));
    }
    ist_buf_done(&hosts);
}

static void check_cache(doctor *self)
{
    if (doctor_exists(self, "/run/nscd/socket") || doctor_exists(self, "/var/run/nscd/socket")) {
        doctor_add(self, DOCTOR_WARN, "nscd",
                   "nscd runs: all processes get the same answer for as long as it keeps it, which takes the weights away; stop "
                   "it, or write `enable-cache hosts no` into /etc/nscd.conf");
    }
}

void doctor_check_resolver(doctor *self, const doctor_addresses *door)
{
    check_resolv_conf(self, door);
    check_nsswitch(self);
    check_cache(self);
}
