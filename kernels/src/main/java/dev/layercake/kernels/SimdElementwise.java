package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Norms, gates, rotations and sums over runs of packed floats; what fills no vector is computed one by one. */
final class SimdElementwise {
    private static final float SQUARE_ROOT_8_OVER_PI = 1.5957692f;
    private static final float CUBIC = 0.044715f;

    private static final VectorSpecies<Long> PAIRS = VectorSpecies.of(long.class, VectorWidth.FLOATS.vectorShape());
    private static final VectorSpecies<Integer> HALF =
            VectorSpecies.of(int.class, VectorShape.forBitSize(VectorWidth.FLOATS.vectorBitSize() / 2));

    /** -1, 1, -1, 1, ... */
    private static final FloatVector SIGNS = FloatVector.fromArray(VectorWidth.FLOATS, signs(), 0);

    private SimdElementwise() {}

    private static float[] signs() {
        float[] signs = new float[LANES];
        for (int i = 0; i < LANES; i++) {
            signs[i] = i % 2 == 0 ? -1 : 1;
        }
        return signs;
    }

    static void rmsNorm(long x, long weight, float epsilon, long out, int columns) {
        FloatVector even = VectorWidth.broadcast(0);
        FloatVector odd = even;
        int i = 0;
        for (; i <= columns - 2 * LANES; i += 2 * LANES) {
            FloatVector first = VectorWidth.load(x + 4L * i);
            FloatVector second = VectorWidth.load(x + 4L * (i + LANES));
            even = first.fma(first, even);
            odd = second.fma(second, odd);
        }
        float[] lanes = new float[LANES];
        even.add(odd).intoArray(lanes, 0);
        float squares = Lanes.sum(lanes, 0);
        for (; i < columns; i++) {
            squares += Memory.float32(x + 4L * i) * Memory.float32(x + 4L * i);
        }
        float factor = (float) (1 / Math.sqrt(squares / columns + epsilon));
        for (i = 0; i <= columns - LANES; i += LANES) {
            FloatVector scaled = VectorWidth.load(x + 4L * i).mul(factor);
            VectorWidth.store(out + 4L * i, scaled.mul(VectorWidth.load(weight + 4L * i)));
        }
        for (; i < columns; i++) {
            Memory.putFloat32(out + 4L * i, Memory.float32(x + 4L * i) * factor * Memory.float32(weight + 4L * i));
        }
    }

    /** Rotates (x[i], x[i + pairs]). */
    static void rope(long x, long cos, long sin, int pairs) {
        int i = 0;
        for (; i <= pairs - LANES; i += LANES) {
            FloatVector left = VectorWidth.load(x + 4L * i);
            FloatVector right = VectorWidth.load(x + 4L * (i + pairs));
            FloatVector c = VectorWidth.load(cos + 4L * i);
            FloatVector s = VectorWidth.load(sin + 4L * i);
            VectorWidth.store(x + 4L * i, left.mul(c).sub(right.mul(s)));
            VectorWidth.store(x + 4L * (i + pairs), right.mul(c).add(left.mul(s)));
        }
        for (; i < pairs; i++) {
            rotate(x + 4L * i, x + 4L * (i + pairs), cos + 4L * i, sin + 4L * i);
        }
    }

    /** Rotates (x[2i], x[2i + 1]); a pair is one long, so that no lane moves but within its own. */
    static void ropeInterleaved(long x, long cos, long sin, int pairs) {
        int i = 0;
        for (; i <= pairs - LANES / 2; i += LANES / 2) {
            FloatVector both = VectorWidth.load(x + 8L * i);
            FloatVector swapped = both.reinterpretAsLongs()
                    .lanewise(VectorOperators.ROL, 32)
                    .reinterpretAsFloats()
                    .mul(SIGNS);
            FloatVector rotated = both.mul(twice(cos + 4L * i)).add(swapped.mul(twice(sin + 4L * i)));
            VectorWidth.store(x + 8L * i, rotated);
        }
        for (; i < pairs; i++) {
            rotate(x + 8L * i, x + 8L * i + 4, cos + 4L * i, sin + 4L * i);
        }
    }

    /** Each of the next {@code LANES / 2} floats twice. */
    private static FloatVector twice(long address) {
        LongVector low = (LongVector) IntVector.fromMemorySegment(HALF, Memory.ALL, address, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_I2L, PAIRS, 0);
        return low.or(low.lanewise(VectorOperators.LSHL, 32)).reinterpretAsFloats();
    }

    private static void rotate(long left, long right, long cos, long sin) {
        float l = Memory.float32(left);
        float r = Memory.float32(right);
        Memory.putFloat32(left, l * Memory.float32(cos) - r * Memory.float32(sin));
        Memory.putFloat32(right, r * Memory.float32(cos) + l * Memory.float32(sin));
    }

    static void siluGate(long gate, long up, long count) {
        long i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector x = VectorWidth.load(gate + 4 * i);
            FloatVector silu = x.div(VectorMath.exp(x.neg()).add(1f));
            VectorWidth.store(gate + 4 * i, silu.mul(VectorWidth.load(up + 4 * i)));
        }
        for (; i < count; i++) {
            float x = Memory.float32(gate + 4 * i);
            Memory.putFloat32(gate + 4 * i, x / (1 + (float) Math.exp(-x)) * Memory.float32(up + 4 * i));
        }
    }

    /** (1 + tanh(u)) / 2 = 1 / (1 + e^-2u), so that no digits are lost to the 1. */
    static void geluGate(long gate, long up, long count) {
        long i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector x = VectorWidth.load(gate + 4 * i);
            FloatVector cubic = x.mul(x).mul(CUBIC).add(1f);
            FloatVector inner = x.mul(SQUARE_ROOT_8_OVER_PI).mul(cubic);
            FloatVector gelu = x.div(VectorMath.exp(inner.neg()).add(1f));
            VectorWidth.store(gate + 4 * i, gelu.mul(VectorWidth.load(up + 4 * i)));
        }
        for (; i < count; i++) {
            float x = Memory.float32(gate + 4 * i);
            float inner = x * SQUARE_ROOT_8_OVER_PI * (x * x * CUBIC + 1);
            Memory.putFloat32(gate + 4 * i, x / (1 + (float) Math.exp(-inner)) * Memory.float32(up + 4 * i));
        }
    }

    static void addScaled(long target, long addend, float factor, long count) {
        FloatVector factors = VectorWidth.broadcast(factor);
        long i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector sum = VectorWidth.load(addend + 4 * i).fma(factors, VectorWidth.load(target + 4 * i));
            VectorWidth.store(target + 4 * i, sum);
        }
        for (; i < count; i++) {
            float sum = Memory.float32(target + 4 * i) + factor * Memory.float32(addend + 4 * i);
            Memory.putFloat32(target + 4 * i, sum);
        }
    }

    static void scale(long x, float factor, long count) {
        long i = 0;
        for (; i <= count - LANES; i += LANES) {
            VectorWidth.store(x + 4 * i, VectorWidth.load(x + 4 * i).mul(factor));
        }
        for (; i < count; i++) {
            Memory.putFloat32(x + 4 * i, Memory.float32(x + 4 * i) * factor);
        }
    }

    static void softcap(long x, float cap, long count) {
        float inverse = 1 / cap;
        long i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector scaled = VectorWidth.load(x + 4 * i).mul(inverse);
            VectorWidth.store(x + 4 * i, VectorMath.tanh(scaled).mul(cap));
        }
        for (; i < count; i++) {
            Memory.putFloat32(x + 4 * i, cap * (float) Math.tanh(Memory.float32(x + 4 * i) / cap));
        }
    }

    /** The sum of magnitudes; {@code room} is a vector to work with. */
    static float magnitudes(long x, int count, long room) {
        FloatVector even = VectorWidth.broadcast(0);
        FloatVector odd = even;
        int i = 0;
        for (; i <= count - 2 * LANES; i += 2 * LANES) {
            even = even.add(VectorWidth.load(x + 4L * i).abs());
            odd = odd.add(VectorWidth.load(x + 4L * (i + LANES)).abs());
        }
        VectorWidth.store(room, even.add(odd));
        float sum = Lanes.sum(room);
        for (; i < count; i++) {
            sum += Math.abs(Memory.float32(x + 4L * i));
        }
        return sum;
    }
}
