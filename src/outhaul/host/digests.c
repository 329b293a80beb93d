/* MD5 and SHA-256 of several messages at once ("multi-buffer hashing"): each message has a lane of a vector.

   One message has to be digested one step after the other, and a step leaves most of a processor idle. Steps of several
   messages need not wait for one another. host/digests.py decides when that is worth it, and compares what comes out of
   here with Python's own before it believes any of it.

   True here: nothing is allocated, nothing is kept between two calls, nothing but the digests is written, and no byte
   outside the messages is read. RFC 1321; FIPS 180-4. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are read as they lie in memory, which is right on little-endian processors only"
#endif

static const uint32_t MD5_SINES[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af,
    0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
    0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97,
    0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
static const uint8_t MD5_SHIFTS[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
static const uint32_t SHA256_ROOTS[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define JOINED(name, lanes) name##_##lanes
#define NAMED(name, lanes) JOINED(name, lanes)
#define WIDE(name) NAMED(name, LANES)

#define LANES 4
#include "digests_vector.h"
#undef LANES
#if defined(__x86_64__) && !defined(__clang__)
#define HAS_WIDER 1
#pragma GCC push_options
#pragma GCC target("avx2")
#define LANES 8
#include "digests_vector.h"
#undef LANES
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,prefer-vector-width=512")
#define LANES 16
#include "digests_vector.h"
#undef LANES
#pragma GCC pop_options
#else /* What has vectors of 128 bits, such as ARM, takes two of them for eight lanes: more to do beside one another. */
#define HAS_WIDER 0
#define LANES 8
#include "digests_vector.h"
#undef LANES
#endif
#define LANES_MAX 16
#define BLOCK 64

typedef void rounds(uint32_t *state, const uint8_t **at, size_t blocks);

struct algorithm {
    int words;
    int big_endian;
    uint32_t first[8];
    rounds *of_4, *of_8, *of_16;
};

static const struct algorithm MD5 = {
    4, 0, {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}, md5_4, md5_8,
#if HAS_WIDER
    md5_16,
#else
    md5_8,
#endif
};
static const struct algorithm SHA256 = {
    8, 1, {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}, sha256_4, sha256_8,
#if HAS_WIDER
    sha256_16,
#else
    sha256_8,
#endif
};

struct lane {
    size_t message, blocks; /* Which it has, NONE where it is idle; and how many blocks are left of what is being read. */
    size_t last_blocks;     /* How many `last` has; 0 once they are being read. */
    uint8_t last[2 * BLOCK];
};
#define NONE ((size_t)-1)

static int lanes_for(size_t count)
{
#if defined(LANES_ALWAYS) /* For the tests, which try every width that the processor has. */
    return count ? LANES_ALWAYS : 4;
#elif HAS_WIDER
    if (!__builtin_cpu_supports("avx2"))
        return 4;
    return count > 8 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") ? 16 : 8;
#else
    return count > 4 ? 8 : 4;
#endif
}

/* Copy what is left behind the last whole block, and pad it: a bit, zeros, and the length in bits. */
static void begin(struct lane *lane, const uint8_t *data, size_t length, int big_endian)
{
    size_t rest = length % BLOCK;
    uint64_t bits = (uint64_t)length * 8;
    if (big_endian)
        bits = __builtin_bswap64(bits);
    lane->blocks = length / BLOCK;
    lane->last_blocks = rest + 1 + sizeof bits > BLOCK ? 2 : 1;
    memset(lane->last, 0, sizeof lane->last);
    memcpy(lane->last, data + length - rest, rest);
    lane->last[rest] = 0x80;
    memcpy(lane->last + lane->last_blocks * BLOCK - sizeof bits, &bits, sizeof bits);
}

static void digest(const struct algorithm *how, const uint8_t *const *data, const size_t *lengths, size_t count, uint8_t *out)
{
    const int lanes = lanes_for(count);
    rounds *run = lanes == 4 ? how->of_4 : lanes == 8 ? how->of_8 : how->of_16;
    uint32_t state[8 * LANES_MAX] = {0};
    struct lane all[LANES_MAX];
    const uint8_t *at[LANES_MAX];
    size_t next = 0;

    for (int i = 0; i < lanes; i++)
        all[i] = (struct lane){.message = NONE};
    for (;;) {
        size_t blocks = NONE;
        const uint8_t *readable = NULL;
        for (int i = 0; i < lanes; i++) {
            struct lane *lane = &all[i];
            if (!lane->blocks && !lane->last_blocks && lane->message != NONE) { /* It is through. */
                for (int word = 0; word < how->words; word++) {
                    uint32_t value = state[word * lanes + i];
                    if (how->big_endian)
                        value = __builtin_bswap32(value);
                    memcpy(out + (lane->message * how->words + word) * sizeof value, &value, sizeof value);
                }
                lane->message = NONE;
            }
            if (lane->message == NONE && next < count) {
                lane->message = next;
                at[i] = data[next];
                begin(lane, data[next], lengths[next], how->big_endian);
                for (int word = 0; word < how->words; word++)
                    state[word * lanes + i] = how->first[word];
                next++;
            }
            if (!lane->blocks && lane->last_blocks) {
                at[i] = lane->last;
                lane->blocks = lane->last_blocks;
                lane->last_blocks = 0;
            }
            if (lane->message != NONE && lane->blocks < blocks) {
                blocks = lane->blocks;
                readable = at[i];
            }
        }
        if (!readable)
            return;
        for (int i = 0; i < lanes; i++)
            if (all[i].message == NONE)
                at[i] = readable; /* An idle lane reads what another one reads, and nobody looks at what comes of it. */
            else
                all[i].blocks -= blocks;
        run(state, at, blocks);
    }
}

#define EXPORTED __attribute__((visibility("default")))

/* Digests of `count` messages, one after the other, to `out`: 16 bytes each. */
EXPORTED void outhaul_md5(const uint8_t *const *data, const size_t *lengths, size_t count, uint8_t *out)
{
    digest(&MD5, data, lengths, count, out);
}

/* The same: 32 bytes each. */
EXPORTED void outhaul_sha256(const uint8_t *const *data, const size_t *lengths, size_t count, uint8_t *out)
{
    digest(&SHA256, data, lengths, count, out);
}
