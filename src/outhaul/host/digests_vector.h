/* The steps of MD5 and of SHA-256 on LANES messages at once, one in each lane of a vector: included once for each width.

   True here: RFC 1321 3.4 and FIPS 180-4 6.2.2, step by step. Every operation is on all lanes; no lane knows of another. */

typedef uint32_t WIDE(vector) __attribute__((vector_size(4 * LANES)));
#define VECTOR WIDE(vector)
#define LEFT(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define RIGHT(x, n) ((x) >> (n) | (x) << (32 - (n)))

/* The next 64 bytes of each message, a word of all of them in a vector. */
static inline void WIDE(gather)(VECTOR *words, const uint8_t **at)
{
    for (int lane = 0; lane < LANES; lane++) {
        uint32_t block[16];
        memcpy(block, at[lane], sizeof block);
        for (int word = 0; word < 16; word++)
            words[word][lane] = block[word];
        at[lane] += sizeof block;
    }
}

static void WIDE(md5)(uint32_t *state, const uint8_t **at, size_t blocks)
{
    VECTOR s[4], w[16];
    memcpy(s, state, sizeof s);
    for (; blocks; blocks--) {
        WIDE(gather)(w, at);
        VECTOR a = s[0], b = s[1], c = s[2], d = s[3];
#pragma GCC unroll 64
        for (int i = 0; i < 64; i++) {
            VECTOR f = i < 16 ? d ^ (b & (c ^ d)) : i < 32 ? c ^ (d & (b ^ c)) : i < 48 ? b ^ c ^ d : c ^ (b | ~d);
            int word = i < 16 ? i : i < 32 ? (5 * i + 1) % 16 : i < 48 ? (3 * i + 5) % 16 : 7 * i % 16;
            f += a + w[word] + MD5_SINES[i];
            a = d;
            d = c;
            c = b;
            b += LEFT(f, MD5_SHIFTS[i / 16][i % 4]);
        }
        s[0] += a;
        s[1] += b;
        s[2] += c;
        s[3] += d;
    }
    memcpy(state, s, sizeof s);
}

static void WIDE(sha256)(uint32_t *state, const uint8_t **at, size_t blocks)
{
    VECTOR s[8], w[16];
    memcpy(s, state, sizeof s);
    for (; blocks; blocks--) {
        WIDE(gather)(w, at);
        for (int i = 0; i < 16; i++) /* Its words are big-endian. */
            w[i] = (LEFT(w[i], 8) & 0x00ff00ff) | (LEFT(w[i], 24) & 0xff00ff00);
        VECTOR a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
#pragma GCC unroll 64
        for (int i = 0; i < 64; i++) {
            if (i >= 16) {
                VECTOR p = w[(i + 1) % 16], q = w[(i + 14) % 16];
                w[i % 16] += (RIGHT(p, 7) ^ RIGHT(p, 18) ^ p >> 3) + w[(i + 9) % 16] +
                             (RIGHT(q, 17) ^ RIGHT(q, 19) ^ q >> 10);
            }
            VECTOR t = h + (RIGHT(e, 6) ^ RIGHT(e, 11) ^ RIGHT(e, 25)) + (g ^ (e & (f ^ g))) + SHA256_ROOTS[i] + w[i % 16];
            h = g;
            g = f;
            f = e;
            e = d + t;
            t += (RIGHT(a, 2) ^ RIGHT(a, 13) ^ RIGHT(a, 22)) + ((a & b) | (c & (a | b)));
            d = c;
            c = b;
            b = a;
            a = t;
        }
        s[0] += a;
        s[1] += b;
        s[2] += c;
        s[3] += d;
        s[4] += e;
        s[5] += f;
        s[6] += g;
        s[7] += h;
    }
    memcpy(state, s, sizeof s);
}

#undef VECTOR
#undef LEFT
#undef RIGHT
