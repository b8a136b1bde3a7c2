package dev.layercake.kernels;

import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.IntUnaryOperator;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vectors that the SIMD kernels compute with, and how they are filled from memory. The width is a constant of the
 * process, because only constant species compile to plain instructions: the machine's preferred one, at most 512 bits,
 * or what {@value #PROPERTY} says.
 */
final class VectorWidth {
    /** System property that forces the width: 128, 256 or 512. */
    static final String PROPERTY = "layercake.kernels.bits";

    static final VectorSpecies<Float> FLOATS = chosen();
    static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
    static final int LANES = FLOATS.length();
    static final int BYTES = LANES * Float.BYTES;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final VectorSpecies<Byte> QUARTER = LANES == 16 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;
    private static final VectorSpecies<Short> HALF =
            VectorSpecies.of(short.class, VectorShape.forBitSize(LANES * Short.SIZE));
    private static final IntVector BYTE_SHIFTS =
            IntVector.zero(INTS).addIndex(1).mul(8).lanewise(VectorOperators.AND, 31);

    private VectorWidth() {}

    /** The widest vectors that this machine computes with, in bits, at most 512. */
    static int preferredBits() {
        return Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize());
    }

    private static VectorSpecies<Float> chosen() {
        String forced = System.getProperty(PROPERTY, "");
        int bits = switch (forced) {
            case "" -> preferredBits();
            case "128", "256", "512" -> Integer.parseInt(forced);
            default ->
                throw LayercakeException.badInput(
                        "-D" + PROPERTY + "=" + forced + " is no vector width; use 128, 256 or 512.");
        };
        return VectorSpecies.of(float.class, VectorShape.forBitSize(bits));
    }

    /** A vector of what {@code lanes} gives for each lane's number. */
    static IntVector ints(IntUnaryOperator lanes) {
        int[] values = new int[LANES];
        Arrays.setAll(values, lanes);
        return IntVector.fromArray(INTS, values, 0);
    }

    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(FLOATS, Memory.ALL, address, LITTLE);
    }

    static void store(long address, FloatVector vector) {
        vector.intoMemorySegment(Memory.ALL, address, LITTLE);
    }

    static IntVector loadInts(long address) {
        return IntVector.fromMemorySegment(INTS, Memory.ALL, address, LITTLE);
    }

    static FloatVector broadcast(float value) {
        return FloatVector.broadcast(FLOATS, value);
    }

    /** The next {@link #LANES} bytes, sign-extended. Reads no byte beyond them. */
    static IntVector signedBytes(long address) {
        if (LANES == 4) {
            return IntVector.broadcast(INTS, Memory.int32(address))
                    .lanewise(VectorOperators.LSHR, BYTE_SHIFTS)
                    .lanewise(VectorOperators.LSHL, 24)
                    .lanewise(VectorOperators.ASHR, 24);
        }
        return (IntVector) ByteVector.fromMemorySegment(QUARTER, Memory.ALL, address, LITTLE)
                .convertShape(VectorOperators.B2I, INTS, 0);
    }

    /** The next {@link #LANES} bytes, signed, as floats: one conversion, where two would double the compiler's nodes. */
    static FloatVector signedFloats(long address) {
        if (LANES == 4) {
            return toFloats(signedBytes(address));
        }
        return (FloatVector) ByteVector.fromMemorySegment(QUARTER, Memory.ALL, address, LITTLE)
                .convertShape(VectorOperators.B2F, FLOATS, 0);
    }

    /** The next {@link #LANES} bytes, zero-extended. Reads no byte beyond them. */
    static IntVector unsignedBytes(long address) {
        if (LANES == 4) {
            return IntVector.broadcast(INTS, Memory.int32(address))
                    .lanewise(VectorOperators.LSHR, BYTE_SHIFTS)
                    .lanewise(VectorOperators.AND, 255);
        }
        return (IntVector) ByteVector.fromMemorySegment(QUARTER, Memory.ALL, address, LITTLE)
                .convertShape(VectorOperators.ZERO_EXTEND_B2I, INTS, 0);
    }

    /** The next {@link #LANES} 16-bit numbers, zero-extended. */
    static IntVector unsignedShorts(long address) {
        return (IntVector) ShortVector.fromMemorySegment(HALF, Memory.ALL, address, LITTLE)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
    }

    /** Writes the low 16 bits of each lane. */
    static void storeShorts(long address, IntVector vector) {
        ((ShortVector) vector.convertShape(VectorOperators.I2S, HALF, 0))
                .intoMemorySegment(Memory.ALL, address, LITTLE);
    }

    /** Writes the low 8 bits of each lane. */
    static void storeBytes(long address, IntVector vector) {
        ByteVector bytes = (ByteVector) vector.convertShape(VectorOperators.I2B, QUARTER, 0);
        if (LANES == 4) {
            Memory.putInt32(address, bytes.reinterpretAsInts().lane(0));
        } else {
            bytes.intoMemorySegment(Memory.ALL, address, LITTLE);
        }
    }

    static FloatVector toFloats(IntVector integers) {
        return (FloatVector) integers.convertShape(VectorOperators.I2F, FLOATS, 0);
    }
}
