package dev.layercake.eval.python;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * Python's {@code random.Random}: the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) as CPython seeds and reads it.
 * Official prompts of RULER and NeedleBench are drawn with it, so that only the same numbers give the same prompts.
 */
public final class PythonRandom {
    private static final int SIZE = 624;
    private static final int SHIFT = 397;
    private static final long WORD = 0xFFFF_FFFFL;

    private final int[] state = new int[SIZE];
    private int next = SIZE;

    private PythonRandom() {}

    /** {@code random.Random(seed)}; the sign of a seed does not count. */
    public static PythonRandom seeded(long seed) {
        PythonRandom random = new PythonRandom();
        long value = Math.abs(seed);
        int[] key = value >>> 32 == 0 ? new int[] {(int) value} : new int[] {(int) value, (int) (value >>> 32)};
        random.begin(19_650_218);
        random.mix(key);
        return random;
    }

    /** NumPy's legacy {@code numpy.random.RandomState(seed)}; the same twister, begun from one word. */
    public static PythonRandom numpyLegacy(int seed) {
        PythonRandom random = new PythonRandom();
        random.begin(seed);
        return random;
    }

    private void begin(int word) {
        state[0] = word;
        for (int i = 1; i < SIZE; i++) {
            state[i] = 1_812_433_253 * (state[i - 1] ^ (state[i - 1] >>> 30)) + i;
        }
        next = SIZE;
    }

    private void mix(int[] key) {
        int at = 1;
        for (int step = 0; step < SIZE; step++) {
            int word = step % key.length;
            state[at] = (state[at] ^ (state[at - 1] ^ (state[at - 1] >>> 30)) * 1_664_525) + key[word] + word;
            at = following(at);
        }
        for (int step = 1; step < SIZE; step++) {
            state[at] = (state[at] ^ (state[at - 1] ^ (state[at - 1] >>> 30)) * 1_566_083_941) - at;
            at = following(at);
        }
        state[0] = 1 << 31;
    }

    /** The place after this one; behind the last comes the second, and the first takes over the last's word. */
    private int following(int at) {
        if (at + 1 < SIZE) {
            return at + 1;
        }
        state[0] = state[SIZE - 1];
        return 1;
    }

    private void twist() {
        for (int i = 0; i < SIZE; i++) {
            int word = (state[i] & 0x8000_0000) | (state[(i + 1) % SIZE] & 0x7FFF_FFFF);
            state[i] = state[(i + SHIFT) % SIZE] ^ (word >>> 1) ^ ((word & 1) == 0 ? 0 : 0x9908_B0DF);
        }
        next = 0;
    }

    private int word() {
        if (next == SIZE) {
            twist();
        }
        int word = state[next++];
        word ^= word >>> 11;
        word ^= (word << 7) & 0x9D2C_5680;
        word ^= (word << 15) & 0xEFC6_0000;
        return word ^ (word >>> 18);
    }

    /** {@code random()}: at least 0, below 1, in steps of 2^-53. */
    public double nextDouble() {
        long high = (word() & WORD) >>> 5;
        long low = (word() & WORD) >>> 6;
        return (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0;
    }

    /** {@code getrandbits(bits)}, at least 1 bit. */
    public BigInteger bits(int bits) {
        BigInteger all = BigInteger.ZERO;
        for (int at = 0; at < bits; at += 32) {
            long word = (word() & WORD) >>> Math.max(0, 32 - (bits - at));
            all = all.or(BigInteger.valueOf(word).shiftLeft(at));
        }
        return all;
    }

    /**
     * {@code randrange(bound)}.
     *
     * @param bound at least 1
     */
    public int below(int bound) {
        int bits = 32 - Integer.numberOfLeadingZeros(bound);
        while (true) {
            int drawn = word() >>> (32 - bits);
            if (Integer.compareUnsigned(drawn, bound) < 0) {
                return drawn;
            }
        }
    }

    /** {@code randint(least, most)}, both included. */
    public int between(int least, int most) {
        return least + below(most - least + 1);
    }

    /** {@code choice(list)}. */
    public <T> T choice(List<T> list) {
        return list.get(below(list.size()));
    }

    /** {@code choices(list, k=count)}: with replacement. */
    public <T> List<T> choices(List<T> list, int count) {
        List<T> drawn = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            drawn.add(list.get((int) Math.floor(nextDouble() * list.size())));
        }
        return drawn;
    }

    /** {@code shuffle(list)}, in place. */
    public void shuffle(List<?> list) {
        for (int i = list.size() - 1; i > 0; i--) {
            Collections.swap(list, i, below(i + 1));
        }
    }

    /**
     * {@code sample(list, count)}: without replacement.
     *
     * @param count at most the list's size
     */
    public <T> List<T> sample(List<T> list, int count) {
        int size = list.size();
        if (count < 0 || count > size) {
            throw new IllegalArgumentException(count + " of " + size + " cannot be drawn without replacement");
        }
        List<T> drawn = new ArrayList<>();
        if (size <= pooledBelow(count)) {
            List<T> pool = new ArrayList<>(list);
            for (int i = 0; i < count; i++) {
                int at = below(size - i);
                drawn.add(pool.get(at));
                pool.set(at, pool.get(size - i - 1));
            }
            return drawn;
        }
        Set<Integer> seen = new HashSet<>();
        while (drawn.size() < count) {
            int at = below(size);
            if (seen.add(at)) {
                drawn.add(list.get(at));
            }
        }
        return drawn;
    }

    /** Up to which size CPython copies the list instead of remembering what it drew. */
    private static int pooledBelow(int count) {
        int limit = 21;
        if (count > 5) {
            int power = 1;
            while (power < 3 * count) {
                power *= 4;
            }
            limit += power;
        }
        return limit;
    }

    /** {@code uuid.UUID(int=getrandbits(128), version=4)}. */
    public UUID uuid() {
        BigInteger drawn = bits(128);
        long high = (drawn.shiftRight(64).longValue() & ~0xF000L) | 0x4000L;
        long low = (drawn.longValue() & ~(3L << 62)) | (1L << 63);
        return new UUID(high, low);
    }

    /**
     * NumPy's legacy {@code randint(least, limit)}, for a range below 2^32.
     *
     * @param limit excluded
     */
    public int legacyBetween(int least, int limit) {
        int range = limit - least - 1;
        if (range == 0) {
            return least;
        }
        int mask = -1 >>> Integer.numberOfLeadingZeros(range);
        while (true) {
            int drawn = word() & mask;
            if (Integer.compareUnsigned(drawn, range) <= 0) {
                return least + drawn;
            }
        }
    }
}
