// SPDX-License-Identifier: Apache-2.0
#include "ist_test.h"

#include "base/hash.h"
#include "base/vec.h"
#include "mesh/hash_pick.h"

enum { MAX_ENDPOINTS = 32, MAX_LOCALITIES = 4, USERS = 256 };

typedef struct mesh {
    ist_mesh_cluster cluster;
    ist_mesh_endpoints endpoints;
    ist_mesh_endpoint items[MAX_ENDPOINTS];
    ist_mesh_locality localities[MAX_LOCALITIES];
    ist_mesh_place place;
    ist_arena *arena;
} mesh;

static int make_arena(void **state)
{
    *state = ist_arena_new(0, 0);
    return *state != NULL ? 0 : -1;
}

static int free_arena(void **state)
{
    ist_arena_free(*state);
    return 0;
}

// "ADDRESS=WEIGHT", "ADDRESS:PORT=WEIGHT", "[ADDRESS]:PORT=WEIGHT", then the health's letter where it is not UNKNOWN.
static void add_endpoint(mesh *m, ist_strv text)
{
    static const char letters[_IST_MESH_HEALTH_MAX + 1] = "UHXRTD";
    ist_mesh_endpoint *e = &m->items[m->endpoints.count++];
    *e = (ist_mesh_endpoint){.port = 8080, .locality = (uint16_t)(m->endpoints.locality_count - 1)};
    ist_strv place = ist_strv_cut(&text, '=', NULL);
    const char *health = strchr(letters, text.p[text.n - 1]);
    if (health != NULL) {
        e->health = (uint8_t)(health - letters);
        text.n--;
    }
    uint64_t number = 0;
    size_t colon = ist_strv_rfind(place, ':');
    if (colon < place.n) {
        assert_int_equal(ist_strv_to_u64(ist_strv_skip(place, colon + 1), UINT16_MAX, &number), IST_OK);
        e->port = (uint16_t)number;
        place = ist_strv_first(place, colon);
    }
    assert_int_equal(ist_strv_to_u64(text, UINT32_MAX, &number), IST_OK);
    e->weight = (uint32_t)number;
    ist_mesh_addr addr;
    bool six = place.p[0] == '[';
    place = six ? ist_strv_make(place.p + 1, place.n - 2) : place;
    assert_int_equal(ist_mesh_addr_parse(place, &addr, NULL), IST_OK);
    e->family = addr.family;
    memcpy(e->address, addr.bytes, sizeof(addr.bytes));
    m->localities[m->endpoints.locality_count - 1].count++;
}

static void add_locality(mesh *m, ist_strv text)
{
    ist_mesh_locality *locality = &m->localities[m->endpoints.locality_count++];
    *locality = (ist_mesh_locality){.region = ist_strv_cut(&text, '/', NULL), .first = m->endpoints.count};
    uint64_t number = 0;
    assert_int_equal(ist_strv_to_u64(ist_strv_cut(&text, '/', NULL), 128, &number), IST_OK);
    locality->priority = (uint32_t)number;
    assert_int_equal(ist_strv_to_u64(text, UINT32_MAX, &number), IST_OK);
    locality->weight = (uint32_t)number;
}

// "REGION/PRIORITY/WEIGHT ENDPOINT ENDPOINT ... | REGION/PRIORITY/WEIGHT ENDPOINT ...".
static void build(mesh *m, const ist_mesh_cluster *cluster, const char *text, ist_arena *arena)
{
    *m = (mesh){.cluster = *cluster, .arena = arena};
    m->endpoints.items = m->items;
    m->endpoints.localities = m->localities;
    bool first = true;
    for (ist_strv rest = ist_strv_from(text); rest.n != 0;) {
        ist_strv word = ist_strv_cut(&rest, ' ', NULL);
        if (first) {
            add_locality(m, word);
            first = false;
        } else if (ist_strv_equal(word, IST_STRV("|"))) {
            first = true;
        } else {
            add_endpoint(m, word);
        }
    }
}

static ist_status pick_in(const mesh *m, uint64_t hash, ist_mesh_hash_result *ret_result, uint32_t *ret_index)
{
    const ist_mesh_hash_hosts hosts = {.cluster = &m->cluster, .endpoints = &m->endpoints, .place = &m->place};
    return ist_mesh_hash_pick(&hosts, hash, m->arena, ret_result, ret_index);
}

// The pick as a letter: 'a' is the first endpoint, '-' nobody.
static char pick(mesh *m, uint64_t hash)
{
    ist_mesh_hash_result result = _IST_MESH_HASH_RESULT_MAX;
    uint32_t index = UINT32_MAX;
    ist_arena_clear(m->arena);
    assert_int_equal(pick_in(m, hash, &result, &index), IST_OK);
    if (result == IST_MESH_HASH_NO_HOST) {
        return '-';
    }
    assert_int_equal(result, IST_MESH_HASH_HASHED);
    assert_true(index < m->endpoints.count);
    return (char)('a' + index);
}

// --- Measured on Envoy ----------------------------------------------------------------------------------------------
//
// Envoy 1.40.0 (the stock build) with a static bootstrap: these clusters as STATIC ones, a route for each with the hash
// policy "header x-user". 256 requests with x-user "user-0" to "user-255"; an access log with %UPSTREAM_HOST% says which
// endpoint each was for, '-' that there was none (503). Panic threshold 0 unless panic_percent is negative (absent).

typedef struct measured {
    const char *name;
    ist_mesh_cluster cluster;
    const char *endpoints;
    const char *picks;
} measured;

static const measured MEASURED[] = {
    // clang-format off
    {"equal ring",
     {.lb = IST_MESH_LB_RING_HASH},
     "/0/0 127.1.0.1=1 127.1.0.2=1 127.1.0.3=1 127.1.0.4=1 127.1.0.5=1",
     "ddabdadcbccbdbceabadeeaddadbddbdeccbbcadbeaebdbbcacabacdddebedaeedacececcaecdcdbbaaaddedaaabbbcedcee"
     "dcddeecdddbdaeaeccccabbdcdddbaedaabbdabaeeacdcbcdebecedccbbceddeedbbdcadebbdaecbcaaeeedbcaedbccaedcc"
     "babcadbeaadebdaccdaaeeacacbeeaabedeebdecbbdecebbdeadaade"},
    {"unequal ring",
     {.lb = IST_MESH_LB_RING_HASH, .ring_size = 100},
     "/0/0 127.1.0.1=2 127.1.0.2=3 127.1.0.3=7 127.1.0.4=1 127.1.0.5=4",
     "acaceabcecccacbbaacdecbaeebccadbeecabdcadabebaecabeecaedbceaeecebeaceeeacebcbbebbeebecccccccebccbcce"
     "ecbcececceceaecacbcdacebaceeebceabeecccccbeeecbcecbeccacceccceaccccaaaaeeceaabaeaaacecadcacbccbbeeda"
     "caecaababcaceceacecebbdcccceaccdbbcebbdbceebdcbcbcebbcbd"},
    {"fractions ring",
     {.lb = IST_MESH_LB_RING_HASH, .ring_size = 7},
     "/0/0 127.1.0.1=20 127.1.0.2=33 127.1.0.3=47 127.1.0.4=21 127.1.0.5=55",
     "ebbdabbedcbdabdabcdcecabaeeccecedecbacdecbadabebbbdccbeebdeaebbeacbeeedbccabbbdaebeaedbdcbdbabbebcde"
     "ecadebcbbebcbebbcecccdecacccabbcededebdbcadcebccbcbebbbcceecbcbdbdcbbbeeebdabcbeecececbcbbbacbbacccb"
     "baebebaadbbdccdccedeabebbdbccbdeadddbbcebeecdbebabcbbbcc"},
    {"unequal maglev",
     {.lb = IST_MESH_LB_MAGLEV},
     "/0/0 127.1.0.1=1 127.1.0.2=2 127.1.0.3=3 127.1.0.4=7 127.1.0.5=5",
     "dbdeceeecddedddbcabddeeedbdddbdddedabaddbbddcdeeedeededceaeeeeddedddddeaacdbbdedceeaebdcbcbcecdcdebe"
     "dddeeddbeddbdeadededcdbbddbaedccbeeddececcebddccdedbdcdedbdeedeeeecebbdeddcbcaaedddedeeceeecddebbdbc"
     "bdbedbacddceeecccecdddededcdcddeededddeeadecbdbcccddddcc"},
    {"small table",
     {.lb = IST_MESH_LB_MAGLEV, .ring_size = 11},
     "/0/0 127.1.1.1=2 127.1.1.2=3 127.1.1.3=1 127.1.1.4=2 127.1.1.5=3 127.1.1.6=1 127.1.1.7=2 "
     "127.1.1.8=3 127.1.1.9=1 127.1.1.10=2 127.1.1.11=3 127.1.1.12=1 127.1.1.13=2 127.1.1.14=3 "
     "127.1.1.15=1 127.1.1.16=2 127.1.1.17=3 127.1.1.18=1 127.1.1.19=2 127.1.1.20=3",
     "rmjoplmkpqnqosassrjrqkmksansrsklppaollsrspmkaqoakkpknqopaplspmjsnqajsqsqmorkssqjsssnqqoaslnqqnjlmslr"
     "qlpnllsspmljkqmpjaoqokqmpallmlpllooqolplrmqlrjojrsknkpkamqkqkpqslanparpqlssnsnkslsalnjarssjrsojqoqaa"
     "sjaojpkrrqnqnlqpqqaqqqmmqpnqllksjnknkjaljllorsknronprjop"},
    {"priorities ring",
     {.lb = IST_MESH_LB_RING_HASH},
     "a/0/0 127.1.0.1=1 127.1.0.2=1X 127.1.0.3=3 127.1.0.4=1X | b/1/0 127.2.0.1=1 127.2.0.2=2 "
     "127.2.0.3=1",
     "ccececfcgfgacecfgcaaacacefcacccgcgccfeecaccccccecacaacfgeccccgacccfcaacfcccgccggcaacfcecaagccffacgca"
     "cccceacaccacacacccffacgccccceagcacacgaccacccccaefacccfaccacccfcccfcccccccacfacccceefccceaccccfefcfce"
     "ccacccccaacgecfcccgecfafaccccaagfgccagccefccfacfagcfaacf"},
    {"priorities maglev",
     {.lb = IST_MESH_LB_MAGLEV, .ring_size = 1009},
     "a/0/0 127.1.0.1=1 127.1.0.2=1X 127.1.0.3=3 127.1.0.4=1X | b/1/0 127.2.0.1=1 127.2.0.2=2 "
     "127.2.0.3=1",
     "cafcgcgcefgcceaefaccccacgeaccccfafcaeffcccaccacfcccccceefccacgaccafacccfaaagccfeaacafcgccafcceeacgcc"
     "cccagccaaccaccacccfeccgccccaecfcccacfacccccacccgfaccceccacaacfacceccacccacafccccaggecaafcccacfffagce"
     "acccacccaaafgcgacafgcfcgaaaacccegfcaafccfgcaeccecfcfcacf"},
    {"panic ring",
     {.lb = IST_MESH_LB_RING_HASH, .panic_percent = -1},
     "a/0/0 127.1.0.1=1X 127.1.0.2=2X 127.1.0.3=1X 127.1.0.4=1",
     "ddabdadcbccbdbcbabababaddadbddbdbccbbcabbbbdbdbbcacabacddbabadbabdbbabaccbbbdcdbbaabdbddaaabbbcbdcda"
     "dcdbabcdddbbaaabccccabbdcdddbabdaabbdabbbbacbcbcdbbbcbbccbbbbddabdbbdcadbbbdabcbcaaabbdbbbcdbccbbdcc"
     "babcadbcabdbbdbccbabbdacabbbbaabbdabbdbcbbdbcabbdbbdaadb"},
    {"localities ring",
     {.lb = IST_MESH_LB_RING_HASH, .ring_size = 64, .locality_weighted = true},
     "z/0/1 127.1.0.1=2 127.1.0.2=3 | a/0/5 127.2.0.1=7 127.2.0.2=3 127.2.0.3=2 | m/0/3 127.3.0.1=1X "
     "127.3.0.2=2X | c/0/2 127.4.0.1=3 127.4.0.2=4X",
     "hbaheadhcdhcedcdadheehaaechhhhecdhcadehhcddhddhdaddchahhbhheebcehcahhchcdchcddhaccedecchdcccebhcdddh"
     "hcahehebecceaedcchdcdchcehceebcchhehhchbehhecdhccebchhadhhhcceadechaaahchbheacahhdchhhaehacdhdbdeeea"
     "cehecaaedcacddhdhcchddhcdccecbehhdchcheccecccbccdccddbce"},
    {"localities maglev",
     {.lb = IST_MESH_LB_MAGLEV, .ring_size = 1009, .locality_weighted = true},
     "z/0/1 127.1.0.1=2 127.1.0.2=3 | a/0/5 127.2.0.1=7 127.2.0.2=3 127.2.0.3=2 | m/0/3 127.3.0.1=1X "
     "127.3.0.2=2X | c/0/2 127.4.0.1=3 127.4.0.2=4X",
     "hcdbchhdbceddcccbdecccahecahcchddhcdhdadhdhedhcdccccchccheeccbhdddabebchcccecdcccdheehhhcabccccbbhch"
     "bccaccdhccchbechddhhchccdchechdhccchdacehbhdcccbhhccdchcadbchdhcccdcdhehehhbccehaceccadbecchchacbahc"
     "hccbehcchaedhhehdhdehheebebbhcdhhbdhccchhahccdccccbhcadd"},
    {"localities not weighted ring",
     {.lb = IST_MESH_LB_RING_HASH, .ring_size = 64},
     "z/0/1 127.1.0.1=2 127.1.0.2=3 | a/0/5 127.2.0.1=7 127.2.0.2=3 127.2.0.3=2 | m/0/3 127.3.0.1=1X "
     "127.3.0.2=2X | c/0/2 127.4.0.1=3 127.4.0.2=4X",
     "hbaheadhcdhbebbdadheecaaecbcchebdcbadehhcadhdahbaddccacabhaeebcehcahcchcdchcddhacdedecchdcccebhcdddh"
     "acahehebecceaedcchdcdchcecceebccahehbchbehhecbcbdebchhadchhbceadeccaaaacabheabahadchccaehacdcdbdeeea"
     "cehecaaedcabddhdccchddacbccecbeahdchcheccecbcbbcdccddbbe"},
    {"localities panic",
     {.lb = IST_MESH_LB_RING_HASH, .ring_size = 64, .panic_percent = -1, .locality_weighted = true},
     "z/0/1 127.1.0.1=2X 127.1.0.2=3X | a/0/5 127.2.0.1=7X 127.2.0.2=3",
     "ccadcacdcdccabcdacdcccaacccdcccbdcbadcdcdadcdadbacdcdaccbdcccbccccadccccdccccccacdddcccdcccccbccccdd"
     "ccacccccccccacdccdddccddacccccccccddbcdcdcdccbddddbcccaccddbccadcccaaacccccaabadcccdccaccacdcdbdccca"
     "cadccaacdcacdcdccccddcccbccccbcccdcccdcccdcbcbbcdcdcccbc"},
    {"weights of zero",
     {.lb = IST_MESH_LB_RING_HASH, .locality_weighted = true},
     "z/0/0 127.1.0.1=1 127.1.0.2=1",
     "----------------------------------------------------------------------------------------------------"
     "----------------------------------------------------------------------------------------------------"
     "--------------------------------------------------------"},
    {"capped ring",
     {.lb = IST_MESH_LB_RING_HASH, .ring_size = 100, .max_ring_size = 150},
     "/0/0 127.1.0.1=1 127.1.0.2=1000 127.1.0.3=900 127.1.0.4=333",
     "bcbcbbbccccbbcbbbdcdbbbbbcdccbbbbccbbbcbbcbcbcbcbbbbcbcdbccbbbcbbbbccbcbcbbcbbcbbcbbbccccbbbbbccbcdb"
     "ccbcbcbcccbbbbcbcbcbdcbbcccbbbcbbbbccccccbcbbcbcccbcccbccbcccbbddccbbbbbbccbbbbbbdbbcbbbcbcbcdbbbbbb"
     "cbbbbbbbbbbbbdcdcbcbbbdcccbbbccdbbcbbbdbcbbbbcbbbcbdbcdd"},
    {"six ring",
     {.lb = IST_MESH_LB_RING_HASH},
     "/0/0 [::1]:8081=1 [::1]:8082=2 127.1.0.3=2 [::1]:8083=1",
     "bcdcabacdbbddadbbdcbbbbaadcdcccabccbbcdbbadabbcacbcddccddcabbcaaccddbbdabadcbcbbbbbbabdbaccdaccbbcdd"
     "aacabdcdbbddbacdccbcdbbbcccbabbbbbbaaccbbcdcacbcabdccddccadcaddbaccbcccadddddbabccbbabdadacdccadcdcc"
     "ddbcdabdbbcaaccccdbdbbbaadccbaabcbabbabcbbabacabbbbbbdbb"},
    {"six maglev",
     {.lb = IST_MESH_LB_MAGLEV},
     "/0/0 [::1]:8081=1 [::1]:8082=2 127.1.0.3=2 [::1]:8083=1",
     "bbccabccadcadbabcbadaabdbccccbccbabddccabbccbcaddbcbaaccabcadcdbdcbcbadaccbbabcbccadacdcccdcbbbccbcb"
     "bbddbddacbcccbbccbdbdcadbaabadccbbabdbcbccaadbccdbccdcbabcdbacccbaccacacadcdcbbcababcdabcdacacccabdc"
     "cbcbbbdcbadabccccdbbdaabdbcbddccacdcbcdbbcccbaccdcdbbcbb"},
    {"degraded ring",
     {.lb = IST_MESH_LB_RING_HASH},
     "a/0/0 127.1.0.1=1 127.1.0.2=1D 127.1.0.3=1X 127.1.0.4=1D 127.1.0.5=1X | b/1/0 127.2.0.1=1 "
     "127.2.0.2=1D 127.2.0.3=1D",
     "ffafafafaafafafafaffffaffaaaafffaaafaaafaaffafffffffaaaaaaffaaffffaffafaaafaafaaffaaafaffafafaaafaff"
     "ffafaffffafaffafffaafaaaffffafaaafafaaafffafaafaffffaaafaffaaafafafafaffaafaffffaaaafffafafffaaafafa"
     "ffafffafaffaafaaffaaaafaaffafaaaaafffafaaaffaafafaaafafa"},
    {"only degraded",
     {.lb = IST_MESH_LB_RING_HASH},
     "a/0/0 127.1.0.1=1D 127.1.0.2=1D | b/1/0 127.2.0.1=1X",
     "----------------------------------------------------------------------------------------------------"
     "----------------------------------------------------------------------------------------------------"
     "--------------------------------------------------------"},
    // clang-format on
};

static void picks_are_those_of_envoy(void **state)
{
    for (size_t i = 0; i < IST_COUNT(MEASURED); i++) {
        mesh m;
        build(&m, &MEASURED[i].cluster, MEASURED[i].endpoints, *state);
        for (uint32_t user = 0; user < USERS; user++) {
            char value[16];
            (void)snprintf(value, sizeof(value), "user-%u", user); // fits
            char got = pick(&m, ist_hash_xx64(ist_strv_from(value), 0));
            if (got != MEASURED[i].picks[user]) {
                fail_msg("%s: %s goes to '%c', with Envoy to '%c'", MEASURED[i].name, value, got,
                         MEASURED[i].picks[user]);
            }
        }
    }
}

// The same Envoy, a RING_HASH cluster of 26 equal endpoints 127.9.0.1 to 127.9.0.26 ('a' to 'z'), authority
// "web.example"; requests from 127.0.0.1 where no source is given.
enum { MAX_POLICIES = 3, MAX_HEADERS = 2 };

static const ist_mesh_hash_policy POLICIES[][MAX_POLICIES] = {
    // clang-format off
    {{.kind = IST_MESH_HASH_HEADER, .name = IST_STRV_INIT("x-user")}},
    {{.kind = IST_MESH_HASH_COOKIE, .name = IST_STRV_INIT("sid")}},
    {{.kind = IST_MESH_HASH_SOURCE_IP}},
    {{.kind = IST_MESH_HASH_QUERY, .name = IST_STRV_INIT("k")}},
    {{.kind = IST_MESH_HASH_HEADER, .name = IST_STRV_INIT("x-user")},
     {.kind = IST_MESH_HASH_QUERY, .name = IST_STRV_INIT("k")},
     {.kind = IST_MESH_HASH_SOURCE_IP}},
    {{.kind = IST_MESH_HASH_HEADER, .terminal = true, .name = IST_STRV_INIT("x-user")},
     {.kind = IST_MESH_HASH_QUERY, .name = IST_STRV_INIT("k")}},
    {{.kind = IST_MESH_HASH_HEADER, .name = IST_STRV_INIT("x-user")},
     {.kind = IST_MESH_HASH_HEADER, .name = IST_STRV_INIT("x-user")}},
    {{.kind = IST_MESH_HASH_HEADER, .name = IST_STRV_INIT(":authority")}},
    {{.kind = IST_MESH_HASH_HEADER, .name = IST_STRV_INIT(":path")}},
    {{.kind = IST_MESH_HASH_COOKIE, .generated = true, .name = IST_STRV_INIT("sid")}},
    {{.kind = IST_MESH_HASH_HEADER, .name = IST_STRV_INIT("x-a")},
     {.kind = IST_MESH_HASH_COOKIE, .terminal = true, .name = IST_STRV_INIT("sid")},
     {.kind = IST_MESH_HASH_QUERY, .name = IST_STRV_INIT("k")}},
    {{.kind = IST_MESH_HASH_HEADER, .name = IST_STRV_INIT("User-Agent")}},
    // clang-format on
};

typedef struct measured_request {
    uint32_t policies;
    const char *path;
    const char *source;
    const char *headers[2 * MAX_HEADERS]; // name, value
    char pick;
} measured_request;

static const measured_request REQUESTS[] = {
    // clang-format off
    {0, "/p0", "", {"x-user", "alice"}, 'e'},
    {0, "/p0", "", {"x-user", "bob"}, 'j'},
    {0, "/p0", "", {"x-user", "carol"}, 'k'},
    {0, "/p0", "", {"x-user", "dave"}, 'y'},
    {0, "/p0", "", {"x-user", "b", "x-user", "a"}, 'k'},
    {0, "/p0", "", {"x-user", "a", "x-user", "b"}, 'k'},
    {0, "/p0", "", {"x-user", "ab"}, 'k'},
    {0, "/p0", "", {"x-user", "alice", "x-user", "bob"}, 'v'},
    {0, "/p0", "", {"x-user", "bob", "x-user", "alice"}, 'v'},
    {0, "/p0", "", {"x-user", "alicebob"}, 'e'},
    {0, "/p0", "", {"x-user", ""}, 't'},
    {0, "/p0", "", {"x-user", "", "x-user", "alice"}, 'r'},
    {0, "/p0", "", {"x-user", "", "x-user", ""}, 'q'},
    {1, "/p1", "", {"cookie", "sid=alice"}, 'e'},
    {1, "/p1", "", {"cookie", "sid=bob"}, 'j'},
    {1, "/p1", "", {"cookie", "a=1; sid=carol"}, 'k'},
    {1, "/p1", "", {"cookie", "a=1;sid=carol"}, 'k'},
    {1, "/p1", "", {"cookie", "sid=\"quoted\""}, 'a'},
    {1, "/p1", "", {"cookie", "sid=quoted"}, 'a'},
    {1, "/p1", "", {"cookie", "sid=x y"}, 'a'},
    {1, "/p1", "", {"cookie", "sid=tail ; b=2"}, 'n'},
    {1, "/p1", "", {"cookie", "junk; sid=dave; sid=eve"}, 'y'},
    {1, "/p1", "", {"cookie", "sid=a=b"}, 'b'},
    {1, "/p1", "", {"cookie", "Sid=alice; sid=bob"}, 'j'},
    {1, "/p1", "", {"cookie", "sid=\"half"}, 'i'},
    {1, "/p1", "", {"cookie", "sidx=1;  sid=dave"}, 'y'},
    {1, "/p1", "", {"cookie", "sid=\"\"x"}, 'z'},
    {1, "/p1", "", {"cookie", "a=1", "cookie", "sid=frank"}, 'c'},
    {9, "/p9", "", {"cookie", "sid=grace"}, 'u'},
    {2, "/p2", "127.0.0.1", {NULL}, 'a'},
    {2, "/p2", "127.0.0.2", {NULL}, 'w'},
    {2, "/p2", "127.77.66.55", {NULL}, 'i'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "127.0.0.2"}, 'w'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "127.0.0.1, 127.0.0.2\t"}, 'w'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "junk,127.0.0.2"}, 'w'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "127.0.0.1", "x-forwarded-for", "127.0.0.2"}, 'w'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "127.0.0.2", "x-forwarded-for", ""}, 'w'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "0:0:0:0:0:0:0:2"}, 'o'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "::2"}, 'o'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "127.0.0.2,"}, 'i'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "127.0.0.2,junk"}, 'i'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "127.0.0.2:80"}, 'i'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "127.0.0.02"}, 'i'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", "[::1]"}, 'i'},
    {2, "/p2", "127.77.66.55", {"x-forwarded-for", ""}, 'i'},
    {3, "/p3?k=alice", "", {NULL}, 'e'},
    {3, "/p3?a=1&k=bob", "", {NULL}, 'j'},
    {3, "/p3?k=bob&k=carol", "", {NULL}, 'j'},
    {3, "/p3?k", "", {NULL}, 't'},
    {3, "/p3?k=", "", {NULL}, 't'},
    {3, "/p3?k=a%20b", "", {NULL}, 'n'},
    {3, "/p3?K=x&k=dave", "", {NULL}, 'y'},
    {3, "/p3?k=a=b", "", {NULL}, 'b'},
    {3, "/p3?&&k=eve", "", {NULL}, 'q'},
    {3, "/p3?k=fred&", "", {NULL}, 'v'},
    {3, "/p3?k=x?y", "", {NULL}, 'x'},
    {4, "/p4?k=1", "127.0.0.9", {"x-user", "a"}, 'u'},
    {4, "/p4?k=2", "127.0.0.9", {"x-user", "a"}, 'p'},
    {4, "/p4", "127.0.0.9", {"x-user", "zed"}, 'v'},
    {4, "/p4?k=2", "127.0.0.9", {NULL}, 'm'},
    {4, "/p4", "127.0.0.8", {NULL}, 'z'},
    {5, "/p5?k=1", "", {"x-user", "a"}, 'a'},
    {5, "/p5?k=1", "", {NULL}, 'j'},
    {5, "/p5?k=2", "", {NULL}, 'i'},
    {6, "/p6", "", {"x-user", "a"}, 'k'},
    {6, "/p6", "", {"x-user", "zed"}, 'i'},
    {7, "/p7", "", {NULL}, 'l'},
    {8, "/p8?k=1", "", {NULL}, 'v'},
    {8, "/p8/sub", "", {NULL}, 'h'},
    {10, "/p10?k=1", "", {"x-a", "1", "cookie", "sid=2"}, 'w'},
    {10, "/p10?k=1", "", {"x-a", "1"}, 'j'},
    {10, "/p10?k=1", "", {"cookie", "sid=2"}, 'i'},
    {10, "/p10?k=3", "", {NULL}, 'e'},
    {11, "/p11", "", {"user-agent", "alice"}, 'e'},
    {11, "/p11", "", {"user-agent", "alice,bob"}, 'j'},
    {11, "/p11", "", {"user-agent", "alice", "user-agent", "bob"}, 'j'},
    {11, "/p11", "", {"user-agent", "bob", "user-agent", "alice"}, 'c'},
    {11, "/p11", "", {"user-agent", "", "user-agent", "alice"}, 'e'},
    {11, "/p11", "", {"user-agent", "alice", "user-agent", ""}, 'e'},
    {11, "/p11", "", {"user-agent", "", "user-agent", ""}, 't'},
    // clang-format on
};

static ist_mesh_request request_of(const measured_request *from, ist_mesh_header *headers)
{
    ist_mesh_request request = {.path = ist_strv_from(from->path),
                                .authority = IST_STRV("web.example"),
                                .source = ist_strv_from(from->source[0] != '\0' ? from->source : "127.0.0.1"),
                                .headers = headers};
    for (uint32_t i = 0; i < MAX_HEADERS && from->headers[2 * i] != NULL; i++) {
        headers[i] =
            (ist_mesh_header){ist_strv_from(from->headers[2 * i]), ist_strv_from(from->headers[2 * i + 1])};
        request.header_count++;
    }
    return request;
}

static uint32_t count_policies(const ist_mesh_hash_policy *policies)
{
    uint32_t count = 0;
    while (count < MAX_POLICIES && (policies[count].name.n != 0 || policies[count].kind == IST_MESH_HASH_SOURCE_IP)) {
        count++;
    }
    return count;
}

static void hashes_of_requests_are_those_of_envoy(void **state)
{
    mesh m;
    char endpoints[1024] = "/0/0";
    for (int i = 1; i <= 26; i++) {
        size_t used = strlen(endpoints);
        (void)snprintf(endpoints + used, sizeof(endpoints) - used, " 127.9.0.%d=1", i); // fits
    }
    build(&m, &(ist_mesh_cluster){.lb = IST_MESH_LB_RING_HASH}, endpoints, *state);
    for (size_t i = 0; i < IST_COUNT(REQUESTS); i++) {
        ist_mesh_header headers[MAX_HEADERS];
        ist_mesh_request request = request_of(&REQUESTS[i], headers);
        const ist_mesh_hash_policy *policies = POLICIES[REQUESTS[i].policies];
        uint64_t hash = 0;
        assert_int_equal(ist_mesh_request_hash(policies, count_policies(policies), &request, &hash), IST_MESH_HASH_HASHED);
        char got = pick(&m, hash);
        if (got != REQUESTS[i].pick) {
            fail_msg("request %zu, %s: goes to '%c', with Envoy to '%c'", i, REQUESTS[i].path, got, REQUESTS[i].pick);
        }
    }
}

// --- What gives no hash ---------------------------------------------------------------------------------------------

static ist_mesh_hash_result result_of(const ist_mesh_hash_policy *policies, uint32_t count,
                                      const ist_mesh_request *request)
{
    uint64_t hash = 0;
    return ist_mesh_request_hash(policies, count, request, &hash);
}

static void request_without_what_is_hashed_says_so(void **state)
{
    (void)state;
    const ist_mesh_request nothing = {.path = IST_STRV("/")};
    const ist_mesh_hash_policy header = {.kind = IST_MESH_HASH_HEADER, .name = IST_STRV("x-user")};
    const ist_mesh_hash_policy cookie = {.kind = IST_MESH_HASH_COOKIE, .name = IST_STRV("sid")};
    const ist_mesh_hash_policy made = {.kind = IST_MESH_HASH_COOKIE, .name = IST_STRV("sid"), .generated = true};
    const ist_mesh_hash_policy source = {.kind = IST_MESH_HASH_SOURCE_IP};
    const ist_mesh_hash_policy query = {.kind = IST_MESH_HASH_QUERY, .name = IST_STRV("k")};
    const ist_mesh_hash_policy other = {.kind = IST_MESH_HASH_OTHER};
    assert_int_equal(result_of(NULL, 0, &nothing), IST_MESH_HASH_NO_INPUT);
    assert_int_equal(result_of(&header, 1, &nothing), IST_MESH_HASH_NO_INPUT);
    assert_int_equal(result_of(&cookie, 1, &nothing), IST_MESH_HASH_NO_INPUT);
    assert_int_equal(result_of(&made, 1, &nothing), IST_MESH_HASH_COOKIE_WOULD_BE_MADE);
    assert_int_equal(result_of(&source, 1, &nothing), IST_MESH_HASH_SOURCE_UNKNOWN);
    assert_int_equal(result_of(&query, 1, &nothing), IST_MESH_HASH_NO_INPUT);
    assert_int_equal(result_of(&other, 1, &nothing), IST_MESH_HASH_UNSUPPORTED);
}

static void terminal_policy_shields_what_follows(void **state)
{
    (void)state;
    const ist_mesh_hash_policy policies[] = {
        {.kind = IST_MESH_HASH_QUERY, .name = IST_STRV("k"), .terminal = true}, {.kind = IST_MESH_HASH_OTHER}};
    const ist_mesh_request with = {.path = IST_STRV("/?k=1#k=2")};
    const ist_mesh_request without = {.path = IST_STRV("/#?k=1")};
    assert_int_equal(result_of(policies, 2, &with), IST_MESH_HASH_HASHED);
    assert_int_equal(result_of(policies, 2, &without), IST_MESH_HASH_UNSUPPORTED);
}

static void more_values_than_envoy_takes_are_not_hashed(void **state)
{
    (void)state;
    static ist_mesh_header headers[101];
    for (size_t i = 0; i < IST_COUNT(headers); i++) {
        headers[i] = (ist_mesh_header){IST_STRV("x-user"), IST_STRV("a")};
    }
    const ist_mesh_hash_policy header = {.kind = IST_MESH_HASH_HEADER, .name = IST_STRV("x-user")};
    ist_mesh_request request = {.headers = headers, .header_count = 100};
    assert_int_equal(result_of(&header, 1, &request), IST_MESH_HASH_HASHED);
    request.header_count = 101;
    assert_int_equal(result_of(&header, 1, &request), IST_MESH_HASH_UNSUPPORTED);
}

static void forwarded_address_that_envoy_reads_otherwise_is_not_hashed(void **state)
{
    (void)state;
    static const char *const texts[] = {"::ffff:127.0.0.2", "127.0.0.1, ::FFFF:127.0.0.2", "fe80::1%lo"};
    const ist_mesh_hash_policy source = {.kind = IST_MESH_HASH_SOURCE_IP};
    for (size_t i = 0; i < IST_COUNT(texts); i++) {
        const ist_mesh_header header = {IST_STRV("x-forwarded-for"), ist_strv_from(texts[i])};
        const ist_mesh_request request = {.source = IST_STRV("127.0.0.1"), .headers = &header, .header_count = 1};
        assert_int_equal(result_of(&source, 1, &request), IST_MESH_HASH_UNSUPPORTED);
    }
}

static void joined_header_that_is_too_long_is_not_hashed(void **state)
{
    (void)state;
    static char text[2048];
    memset(text, 'x', sizeof(text));
    const ist_mesh_header headers[] = {{IST_STRV("via"), {text, 2047}}, {IST_STRV("via"), {text, 2048}}};
    const ist_mesh_header longer[] = {{IST_STRV("via"), {text, 2048}}, {IST_STRV("via"), {text, 2048}}};
    const ist_mesh_hash_policy header = {.kind = IST_MESH_HASH_HEADER, .name = IST_STRV("via")};
    ist_mesh_request request = {.headers = headers, .header_count = 2};
    assert_int_equal(result_of(&header, 1, &request), IST_MESH_HASH_HASHED); // 4,096 with the comma
    request.headers = longer;
    assert_int_equal(result_of(&header, 1, &request), IST_MESH_HASH_UNSUPPORTED);
    request.header_count = 0;
    assert_int_equal(result_of(&header, 1, &request), IST_MESH_HASH_NO_INPUT);
}

static void results_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < _IST_MESH_HASH_RESULT_MAX; i++) {
        assert_int_not_equal(strlen(ist_mesh_hash_result_name((ist_mesh_hash_result)i)), 0);
    }
    assert_string_equal(ist_mesh_hash_result_name(IST_MESH_HASH_COOKIE_WOULD_BE_MADE), "cookie_would_be_made");
}

// --- What gives no pick ---------------------------------------------------------------------------------------------

static ist_mesh_hash_result pick_result(ist_arena *arena, const ist_mesh_cluster *cluster, const char *endpoints)
{
    mesh m;
    ist_mesh_hash_result result = _IST_MESH_HASH_RESULT_MAX;
    uint32_t index = 0;
    build(&m, cluster, endpoints, arena);
    assert_int_equal(pick_in(&m, 1, &result, &index), IST_OK);
    return result;
}

static void cluster_that_cannot_be_followed_says_so(void **state)
{
    static const struct {
        ist_mesh_cluster cluster;
        const char *endpoints;
        ist_mesh_hash_result want;
    } cases[] = {
        {{.lb = IST_MESH_LB_LEAST_REQUEST}, "/0/0 127.0.0.1=1", IST_MESH_HASH_NOT_HASHED},
        {{.lb = IST_MESH_LB_RING_HASH, .hash_unsupported = true}, "/0/0 127.0.0.1=1", IST_MESH_HASH_UNSUPPORTED},
        {{.lb = IST_MESH_LB_RING_HASH, .max_ring_size = 10}, "/0/0 127.0.0.1=1", IST_MESH_HASH_UNSUPPORTED},
        {{.lb = IST_MESH_LB_RING_HASH, .max_ring_size = 8388609}, "/0/0 127.0.0.1=1", IST_MESH_HASH_UNSUPPORTED},
        {{.lb = IST_MESH_LB_RING_HASH, .ring_size = 1048577}, "/0/0 127.0.0.1=1", IST_MESH_HASH_TOO_LARGE},
        {{.lb = IST_MESH_LB_RING_HASH}, "/0/0 127.0.0.1=1 127.0.0.2=2000000", IST_MESH_HASH_TOO_LARGE},
        {{.lb = IST_MESH_LB_RING_HASH}, "", IST_MESH_HASH_NO_HOST},
        {{.lb = IST_MESH_LB_RING_HASH}, "/0/0 127.0.0.1=0", IST_MESH_HASH_NO_HOST},
        {{.lb = IST_MESH_LB_MAGLEV}, "/0/0 127.0.0.1=1X", IST_MESH_HASH_NO_HOST},
        {{.lb = IST_MESH_LB_MAGLEV, .ring_size = 1000}, "/0/0 127.0.0.1=1", IST_MESH_HASH_UNSUPPORTED}, // no prime
        {{.lb = IST_MESH_LB_MAGLEV, .ring_size = 2}, "/0/0 127.0.0.1=1", IST_MESH_HASH_UNSUPPORTED},
        {{.lb = IST_MESH_LB_MAGLEV, .ring_size = 5000081}, "/0/0 127.0.0.1=1", IST_MESH_HASH_UNSUPPORTED},
        {{.lb = IST_MESH_LB_MAGLEV, .ring_size = 1048583}, "/0/0 127.0.0.1=1", IST_MESH_HASH_TOO_LARGE},
    };
    for (size_t i = 0; i < IST_COUNT(cases); i++) {
        ist_mesh_hash_result got = pick_result(*state, &cases[i].cluster, cases[i].endpoints);
        if (got != cases[i].want) {
            fail_msg("case %zu: %s, want %s", i, ist_mesh_hash_result_name(got),
                     ist_mesh_hash_result_name(cases[i].want));
        }
    }
}

// Which host has the entry that does not divide is decided by the order, in which the own locality is the first.
static void own_locality_is_first_in_a_ring(void **state)
{
    static const char LAST[] = "a/0/37 127.0.0.1=3 127.0.0.2=7 | z/0/63 127.0.0.3=5 127.0.0.4=11 127.0.0.5=13";
    static const char FIRST[] = "a/0/37 127.0.0.1=3 127.0.0.2=7 | 0/0/63 127.0.0.3=5 127.0.0.4=11 127.0.0.5=13";
    ist_mesh_cluster cluster = {.lb = IST_MESH_LB_RING_HASH, .ring_size = 16, .locality_weighted = true};
    mesh foreign;
    mesh own;
    mesh renamed;
    uint32_t moved = 0;
    build(&foreign, &cluster, LAST, *state);
    build(&own, &cluster, LAST, *state);
    build(&renamed, &cluster, FIRST, *state);
    own.place.region = IST_STRV("z");
    for (uint64_t i = 0; i < 1024; i++) {
        uint64_t hash = ist_hash_u64(i);
        assert_int_equal(pick(&own, hash), pick(&renamed, hash));
        moved += pick(&own, hash) != pick(&foreign, hash) ? 1 : 0;
    }
    assert_int_not_equal(moved, 0);
}

static void gateways_are_in_no_ring_and_no_table(void **state)
{
    static const ist_mesh_lb lbs[] = {IST_MESH_LB_RING_HASH, IST_MESH_LB_MAGLEV};
    for (size_t i = 0; i < IST_COUNT(lbs); i++) {
        ist_mesh_cluster cluster = {.lb = lbs[i], .locality_weighted = true};
        mesh with;
        mesh without;
        build(&with, &cluster, "a/0/1 127.0.0.1=1 127.0.0.2=2 | b/0/9 127.0.0.9=5", *state);
        build(&without, &cluster, "a/0/1 127.0.0.1=1 127.0.0.2=2", *state);
        with.items[2].flags = IST_MESH_ENDPOINT_GATEWAY | IST_MESH_ENDPOINT_MTLS;
        for (uint64_t hash = 0; hash < 64; hash++) {
            uint64_t spread = ist_hash_u64(hash);
            assert_int_equal(pick(&with, spread), pick(&without, spread));
        }
    }
}

// --- Memory ---------------------------------------------------------------------------------------------------------

static ist_status pick_once(void *ctx)
{
    const ist_mesh_cluster *cluster = ctx;
    ist_arena *arena = ist_arena_new(64, 0); // small blocks: every piece is an allocation
    if (arena == NULL) {
        return IST_ENOMEM;
    }
    mesh m;
    build(&m, cluster, "/0/0 127.1.0.1=1 127.1.0.2=2 127.1.0.3=3", arena);
    ist_mesh_hash_result result = _IST_MESH_HASH_RESULT_MAX;
    uint32_t index = UINT32_MAX;
    ist_status status = pick_in(&m, 77, &result, &index);
    assert_int_equal(result, status == IST_OK ? IST_MESH_HASH_HASHED : _IST_MESH_HASH_RESULT_MAX);
    assert_true(status == IST_OK ? index < 3 : index == UINT32_MAX);
    ist_arena_free(arena);
    return status;
}

static void lack_of_memory_leaves_the_results_untouched(void **state)
{
    (void)state;
    ist_mesh_cluster ring = {.lb = IST_MESH_LB_RING_HASH};
    ist_mesh_cluster table = {.lb = IST_MESH_LB_MAGLEV};
    assert_true(ist_test_each_alloc_fails(pick_once, &ring) > 2);
    assert_true(ist_test_each_alloc_fails(pick_once, &table) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_are_those_of_envoy),
        cmocka_unit_test(hashes_of_requests_are_those_of_envoy),
        cmocka_unit_test(request_without_what_is_hashed_says_so),
        cmocka_unit_test(terminal_policy_shields_what_follows),
        cmocka_unit_test(more_values_than_envoy_takes_are_not_hashed),
        cmocka_unit_test(forwarded_address_that_envoy_reads_otherwise_is_not_hashed),
        cmocka_unit_test(joined_header_that_is_too_long_is_not_hashed),
        cmocka_unit_test(results_have_names),
        cmocka_unit_test(cluster_that_cannot_be_followed_says_so),
        cmocka_unit_test(own_locality_is_first_in_a_ring),
        cmocka_unit_test(gateways_are_in_no_ring_and_no_table),
        cmocka_unit_test(lack_of_memory_leaves_the_results_untouched),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
