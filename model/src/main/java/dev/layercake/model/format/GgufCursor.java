package dev.layercake.model.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A place in the header of a GGUF file that moves forward as values are read, checking each against what is left.
 *
 * <p>A header is read onto the heap, so it may not be larger than {@value #LARGEST_HEADER_BYTES} bytes; those of real
 * models have some 10 million. All counts are bounded by it.
 */
final class GgufCursor {
    static final long LARGEST_HEADER_BYTES = 128L << 20;

    private static final int DEEPEST_NESTING = 8;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MappedFile file;
    private final MemorySegment bytes;
    private final long end;
    private long position;

    GgufCursor(MappedFile file, long position) {
        this.file = file;
        this.bytes = file.bytes();
        this.end = Math.min(file.size(), LARGEST_HEADER_BYTES);
        this.position = position;
    }

    long position() {
        return position;
    }

    private long left() {
        return end - position;
    }

    /** Moves over {@code count} bytes and returns where they begin. */
    private long take(long count, String place) {
        if (count < 0 || count > left()) {
            throw file.damaged(place + " needs " + Long.toUnsignedString(count) + " bytes at byte " + position
                    + ", but only " + left() + " are left of "
                    + (end < file.size() ? "the " + end + " that a header may have" : "the file"));
        }
        long begin = position;
        position += count;
        return begin;
    }

    int int32(String place) {
        return bytes.get(INT, take(Integer.BYTES, place));
    }

    long int64(String place) {
        return bytes.get(LONG, take(Long.BYTES, place));
    }

    /** A number of things that follow, refused if that many cannot fit in what is left. */
    long count(String place, int leastBytesEach) {
        long begin = position;
        long count = int64(place);
        if (count < 0 || count > left() / leastBytesEach) {
            throw file.damaged(place + " at byte " + begin + " is " + Long.toUnsignedString(count)
                    + ", more than the rest of the header can hold");
        }
        return count;
    }

    /** A key or a tensor's name: sound UTF-8, within the format's limits. */
    String name(String place, int longestBytes) {
        byte[] utf8 = stringBytes(place);
        if (utf8.length == 0 || utf8.length > longestBytes) {
            throw file.damaged(place + " has " + utf8.length + " bytes, not 1 to " + longestBytes);
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(utf8))
                    .toString();
        } catch (CharacterCodingException e) {
            throw file.damaged(place + " is not valid UTF-8");
        }
    }

    /** A value with its type in front of it. */
    GgufValue value(String place) {
        GgufType type = type(place);
        return type == GgufType.ARRAY ? array(place, 1) : scalar(type, place);
    }

    private GgufType type(String place) {
        int number = int32(place);
        GgufType type = GgufType.ofNumber(number);
        if (type == null) {
            throw file.damaged(
                    place + " has the type " + Integer.toUnsignedString(number) + ", which GGUF does not have");
        }
        return type;
    }

    private GgufValue scalar(GgufType type, String place) {
        Object content = switch (type) {
            case UINT8 -> (long) (bytes.get(ValueLayout.JAVA_BYTE, take(1, place)) & 0xff);
            case INT8 -> (long) bytes.get(ValueLayout.JAVA_BYTE, take(1, place));
            case UINT16 -> (long) (bytes.get(SHORT, take(2, place)) & 0xffff);
            case INT16 -> (long) bytes.get(SHORT, take(2, place));
            case UINT32 -> int32(place) & 0xffff_ffffL;
            case INT32 -> (long) int32(place);
            case UINT64, INT64 -> int64(place);
            case FLOAT32 -> (double) bytes.get(FLOAT, take(4, place));
            case FLOAT64 -> bytes.get(DOUBLE, take(8, place));
            case BOOL -> truth(bytes.get(ValueLayout.JAVA_BYTE, take(1, place)), place) != 0;
            case STRING -> string(place);
            case ARRAY -> throw new IllegalArgumentException("an array is no single value");
        };
        return GgufValue.scalar(type, content);
    }

    private GgufValue array(String place, int depth) {
        if (depth > DEEPEST_NESTING) {
            throw file.damaged(place + " has arrays nested deeper than " + DEEPEST_NESTING);
        }
        GgufType type = type(place);
        int length = (int) count("the length of " + place, type.leastBytes());
        Object content = switch (type) {
            case UINT8, INT8 -> slice(length, 1, place).toArray(ValueLayout.JAVA_BYTE);
            case UINT16, INT16 -> slice(length, 2, place).toArray(SHORT);
            case UINT32, INT32 -> slice(length, 4, place).toArray(INT);
            case UINT64, INT64 -> slice(length, 8, place).toArray(LONG);
            case FLOAT32 -> slice(length, 4, place).toArray(FLOAT);
            case FLOAT64 -> slice(length, 8, place).toArray(DOUBLE);
            case BOOL -> truths(slice(length, 1, place).toArray(ValueLayout.JAVA_BYTE), place);
            case STRING -> strings(length, place);
            case ARRAY -> arrays(length, place, depth);
        };
        return GgufValue.array(type, content);
    }

    private MemorySegment slice(long length, int bytesEach, String place) {
        return bytes.asSlice(take(length * bytesEach, place), length * bytesEach);
    }

    /**
     * Strings, each behind its length, as the bytes of the file. A vocabulary has some 800,000 strings with its merges, and a
     * model's start walks over all of them in code that is not compiled yet: on a plain array that is several times quicker
     * than through the mapped segment.
     */
    private GgufStrings strings(int length, String place) {
        int[] starts = new int[length];
        int[] ends = new int[length];
        long begin = position;
        byte[] block = block(begin, Math.max(1 << 12, 24L * length));
        int at = 0;
        int done = 0;
        while (done < length) {
            done = walk(block, at, starts, ends, done);
            at = done == 0 ? 0 : ends[done - 1];
            if (done < length) {
                // The next string is not whole in the block, or not in the file.
                position = begin + at;
                take(count(place, 1), place);
                block = block(begin, Math.max(2L * block.length, position - begin));
            }
        }
        position = begin + at;
        return GgufStrings.of(at >= block.length / 4 * 3 ? block : Arrays.copyOf(block, at), starts, ends);
    }

    private byte[] block(long begin, long size) {
        byte[] block = new byte[(int) Math.min(size, end - begin)];
        MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, begin, block, 0, block.length);
        return block;
    }

    /** Notes where strings begin and end as long as they are whole in the block, and returns how many are known then. */
    private static int walk(byte[] block, int from, int[] starts, int[] ends, int done) {
        int at = from;
        int index = done;
        while (index < starts.length && block.length - at >= Long.BYTES) {
            int size = (block[at] & 0xFF)
                    | (block[at + 1] & 0xFF) << 8
                    | (block[at + 2] & 0xFF) << 16
                    | (block[at + 3] & 0xFF) << 24;
            int beyond = block[at + 4] | block[at + 5] | block[at + 6] | block[at + 7];
            at += Long.BYTES;
            if (beyond != 0 || size < 0 || size > block.length - at) {
                break;
            }
            starts[index] = at;
            at += size;
            ends[index++] = at;
        }
        return index;
    }

    private GgufValue[] arrays(int length, String place, int depth) {
        GgufValue[] arrays = new GgufValue[length];
        for (int i = 0; i < length; i++) {
            arrays[i] = array(place, depth + 1);
        }
        return arrays;
    }

    private byte[] truths(byte[] truths, String place) {
        for (byte truth : truths) {
            truth(truth, place);
        }
        return truths;
    }

    private byte truth(byte truth, String place) {
        if (truth != 0 && truth != 1) {
            throw file.damaged(place + " is " + (truth & 0xff) + " where only 0 and 1 are true or false");
        }
        return truth;
    }

    /** Text of any content; bytes that are not UTF-8 become U+FFFD, as vocabularies may hold such pieces. */
    private String string(String place) {
        return new String(stringBytes(place), StandardCharsets.UTF_8);
    }

    private byte[] stringBytes(String place) {
        int length = (int) count(place, 1);
        byte[] copy = new byte[length];
        MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, take(length, place), copy, 0, length);
        return copy;
    }
}
