package dev.layercake.model.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LayercakeException.Category;
import dev.layercake.kernels.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sound files with bytes changed at random, the same in every run: each loads, and then every tensor and every value in it
 * can be read, or ends in the documented exception, without taking much memory.
 */
@Timeout(600)
class HostileFilesTest {
    /** The files have about a kilobyte; parsing buffers and messages need some more. */
    private static final long MOST_BYTES_ALLOCATED = 4 << 20;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @TempDir
    Path folder;

    private int loaded;
    private int refused;

    private static TensorContent bytes(int count) {
        byte[] bytes = new byte[count];
        new Random(count).nextBytes(bytes);
        return TensorContent.of(MemorySegment.ofArray(bytes));
    }

    private byte[] safetensors() throws IOException {
        Path path = folder.resolve("sound.safetensors");
        new SafetensorsWriter()
                .metadata("format", "pt")
                .add("f32", "F32", bytes(24), 2, 3)
                .add("i64", "I64", bytes(8), 1)
                .add("bf16", "BF16", bytes(24), 3, 2, 2)
                .add("f16", "F16", bytes(2))
                .add("u8", "U8", bytes(5), 5)
                .add("none", "F32", bytes(0), 0, 7)
                .write(path);
        return Files.readAllBytes(path);
    }

    private byte[] gguf() throws IOException {
        Path path = folder.resolve("sound.gguf");
        new GgufWriter()
                .metadata("general.architecture", GgufValue.string("llama"))
                .metadata("general.alignment", GgufValue.uint32(32))
                .metadata("u8", GgufValue.integer(GgufType.UINT8, 1))
                .metadata("i16", GgufValue.integer(GgufType.INT16, -2))
                .metadata("u64", GgufValue.integer(GgufType.UINT64, 3))
                .metadata("f32", GgufValue.float32(4))
                .metadata("f64", GgufValue.float64(5))
                .metadata("yes", GgufValue.bool(true))
                .metadata("tokens", GgufValue.strings(List.of("a", "bc", "", "ü")))
                .metadata("scores", GgufValue.floats(1, 2, 3, 4))
                .metadata("types", GgufValue.ints(1, 2, 3, 4))
                .metadata("gates", GgufValue.bools(true, false))
                .metadata(
                        "nested",
                        GgufValue.arrays(List.of(GgufValue.ints(1), GgufValue.arrays(List.of(GgufValue.floats(1))))))
                .add("f32", DType.F32, bytes(24), 2, 3)
                .add("q8", DType.Q8_0, bytes(68), 2, 32)
                .add("q4k", DType.Q4_K, bytes(144), 256)
                .add("experts", DType.F16, bytes(24), 3, 2, 2)
                .write(path);
        return Files.readAllBytes(path);
    }

    /** Also loads the classes, whose first use takes memory that no file is to blame for. */
    @BeforeEach
    void soundFilesLoad() throws IOException {
        for (byte[] sound : List.of(safetensors(), gguf())) {
            try (ModelFiles files = ModelFiles.open(Files.write(folder.resolve("sound"), sound))) {
                readAll(files);
            }
            Path broken = Files.write(folder.resolve("broken"), Arrays.copyOf(sound, sound.length / 2));
            assertThatThrownBy(() -> ModelFiles.open(broken).close()).isInstanceOf(LayercakeException.class);
        }
    }

    @Test
    void everySingleByte() throws IOException {
        for (byte[] sound : List.of(safetensors(), gguf())) {
            int header = headerBytes(sound);
            Random random = new Random(1);
            for (int at = 0; at < header; at++) {
                for (int value :
                        new int[] {0, 1, 0x7f, 0x80, 0xff, random.nextInt(256), sound[at] ^ (1 << random.nextInt(8))}) {
                    byte[] changed = sound.clone();
                    changed[at] = (byte) value;
                    check(changed, "byte " + at + " = " + value);
                }
            }
        }
        assertThat(loaded).as("some still load").isPositive();
        assertThat(refused).as("most do not").isGreaterThan(2000);
    }

    @Test
    void extremeNumbersEverywhere() throws IOException {
        int turn = 0;
        for (byte[] sound : List.of(safetensors(), gguf())) {
            int header = sound[0] == 'G' ? headerBytes(sound) : 16;
            long[] extremes = {
                0,
                1,
                -1,
                Long.MAX_VALUE,
                Long.MIN_VALUE,
                Integer.MAX_VALUE,
                1L << 31,
                1L << 32,
                (1L << 32) - 1,
                1L << 61,
                sound.length,
                sound.length - 1,
                sound.length + 1,
                sound.length / 2,
                100_000_000,
                1L << 24,
                1L << 40
            };
            for (int at = 0; at < header; at++) {
                for (long extreme : extremes) {
                    int width = turn++ % 2 == 0 ? 8 : 4;
                    byte[] changed = sound.clone();
                    for (int i = 0; i < width && at + i < changed.length; i++) {
                        changed[at + i] = (byte) (extreme >>> (8 * i));
                    }
                    check(changed, width + " bytes at " + at + " = " + extreme);
                }
            }
        }
        assertThat(refused).isGreaterThan(5000);
    }

    @Test
    void truncatedAnywhere() throws IOException {
        for (byte[] sound : List.of(safetensors(), gguf())) {
            for (int length = 0; length < sound.length; length++) {
                check(Arrays.copyOf(sound, length), "cut to " + length);
            }
        }
        assertThat(refused).isGreaterThan(1000);
    }

    @Test
    void piecesMovedDoubledAndRemoved() throws IOException {
        Random random = new Random(2);
        for (byte[] sound : List.of(safetensors(), gguf())) {
            int header = headerBytes(sound);
            for (int round = 0; round < 3000; round++) {
                int from = random.nextInt(header);
                int length = 1 + random.nextInt(Math.min(64, sound.length - from));
                int to = random.nextInt(header);
                byte[] piece = Arrays.copyOfRange(sound, from, from + length);
                byte[] changed = switch (round % 3) {
                    case 0 -> splice(sound, to, to, piece);
                    case 1 -> splice(sound, from, from + length, new byte[0]);
                    default -> splice(sound, to, Math.min(sound.length, to + length), piece);
                };
                check(changed, "round " + round);
            }
        }
        assertThat(refused).isGreaterThan(3000);
    }

    @Test
    void textOfASafetensorsHeader() throws IOException {
        byte[] sound = safetensors();
        int header = headerBytes(sound);
        String json = new String(sound, 8, header - 8, StandardCharsets.UTF_8);
        byte[] data = Arrays.copyOfRange(sound, header, sound.length);
        changeText(json, new Random(3), 4000, changed -> {
            byte[] utf8 = changed.getBytes(StandardCharsets.UTF_8);
            byte[] file = splice(new byte[8], 8, 8, splice(utf8, utf8.length, utf8.length, data));
            for (int i = 0; i < 8; i++) {
                file[i] = (byte) ((long) utf8.length >>> (8 * i));
            }
            check(file, changed);
        });
        assertThat(loaded).isPositive();
        assertThat(refused).isGreaterThan(2000);
    }

    @Test
    void textOfAnIndex() throws IOException {
        Files.write(folder.resolve("one.safetensors"), safetensors());
        String json =
                "{\"metadata\":{\"total_size\":63},\"weight_map\":{\"f32\":\"one.safetensors\",\"u8\":\"one.safetensors\"}}";
        changeText(json, new Random(4), 4000, changed -> checkIndex(changed.getBytes(StandardCharsets.UTF_8), changed));
        byte[] sound = json.getBytes(StandardCharsets.UTF_8);
        Random random = new Random(5);
        for (int round = 0; round < 4000; round++) {
            byte[] changed = sound.clone();
            changed[random.nextInt(sound.length)] = (byte) random.nextInt(256);
            checkIndex(changed, "round " + round);
        }
        assertThat(loaded).isPositive();
        assertThat(refused).isGreaterThan(4000);
    }

    private static void changeText(String json, Random random, int rounds, Consumer<String> check) {
        String[] foreign = {
            "18446744073709551615",
            "9223372036854775807",
            "-1",
            "1e999",
            "0.5",
            "null",
            "true",
            "{}",
            "[]",
            "\"\"",
            "[[",
            "{\"a\":",
            "\\ud800",
            "\\u0000",
            "\"F32\"",
            "4611686018427387904",
            "0",
            "9".repeat(1200),
            "[".repeat(100),
            ",",
            "\0",
            "\"..\"",
            "\"/\""
        };
        for (int round = 0; round < rounds; round++) {
            StringBuilder text = new StringBuilder(json);
            for (int change = 0; change <= random.nextInt(3); change++) {
                int from = random.nextInt(text.length());
                int to = Math.min(text.length(), from + random.nextInt(24));
                switch (random.nextInt(4)) {
                    case 0 -> text.insert(from, text.substring(from, to));
                    case 1 -> text.delete(from, to);
                    default -> replaceWord(text, from, foreign[random.nextInt(foreign.length)]);
                }
                if (text.isEmpty()) {
                    text.append(' ');
                }
            }
            check.accept(text.toString());
        }
    }

    /** Replaces the number or string that begins at or after {@code from}. */
    private static void replaceWord(StringBuilder text, int from, String replacement) {
        int begin = from;
        while (begin < text.length() && "{}[],:".indexOf(text.charAt(begin)) >= 0) {
            begin++;
        }
        int end = begin;
        while (end < text.length() && "{}[],:".indexOf(text.charAt(end)) < 0) {
            end++;
        }
        text.replace(begin, end, replacement);
    }

    private static byte[] splice(byte[] bytes, int from, int to, byte[] inserted) {
        byte[] result = new byte[bytes.length - (to - from) + inserted.length];
        System.arraycopy(bytes, 0, result, 0, from);
        System.arraycopy(inserted, 0, result, from, inserted.length);
        System.arraycopy(bytes, to, result, from + inserted.length, bytes.length - to);
        return result;
    }

    /** Bytes before the data. */
    private static int headerBytes(byte[] file) {
        if (file[0] == 'G') {
            return file.length - 32 - 96 - 160 - 32;
        }
        return 8 + (file[0] & 0xff) + ((file[1] & 0xff) << 8);
    }

    private void check(byte[] bytes, String what) {
        Path path = folder.resolve("changed");
        checkOpening(path, path, bytes, what);
    }

    private void checkIndex(byte[] bytes, String what) {
        checkOpening(folder.resolve("changed.json"), folder, bytes, what);
    }

    private void checkOpening(Path path, Path named, byte[] bytes, String what) {
        // Not emptied first: file systems flush a file to the disk that is cut to nothing and written anew.
        try (FileChannel channel =
                FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(bytes), 0);
            channel.truncate(bytes.length);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        long before = THREADS.getCurrentThreadAllocatedBytes();
        try (ModelFiles files = ModelFiles.open(path)) {
            long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
            assertThat(allocated).as("%s: bytes allocated", what).isLessThan(MOST_BYTES_ALLOCATED);
            readAll(files);
            loaded++;
        } catch (LayercakeException e) {
            long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
            assertThat(allocated).as("%s: bytes allocated", what).isLessThan(MOST_BYTES_ALLOCATED);
            assertThat(e.category()).as(what).isEqualTo(Category.BAD_MODEL);
            assertThat(String.valueOf(e.getMessage())).as(what).startsWith(named.toString());
            assertThat(String.valueOf(e.getMessage()).length()).as(what).isLessThan(1000);
            assertThat(String.valueOf(e.getMessage())).as(what).doesNotContain("\n");
            refused++;
        } catch (RuntimeException | Error e) {
            throw new AssertionError(what + ": " + e, e);
        }
    }

    private static void readAll(ModelFiles files) {
        TensorSource source = files.tensors();
        int sum = 0;
        for (String name : source.names()) {
            TensorInfo info = source.info(name);
            MemorySegment data = source.data(name);
            assertThat(data.byteSize()).isEqualTo(info.bytes());
            sum += ends(data);
            if (info.dtype().isPresent()) {
                Tensor tensor = source.tensor(name);
                assertThat(tensor.bytes()).isEqualTo(info.bytes());
                if (tensor.rows() > 0) {
                    sum += ends(tensor.slice(tensor.rows() - 1, 1).data());
                }
                if (info.shape().size() >= 3 && info.shape().getFirst() > 0) {
                    sum += ends(source.tensor(name, info.shape().getFirst() - 1).data());
                }
            }
        }
        files.metadata().ifPresent(HostileFilesTest::readAll);
        assertThat(sum).isNotEqualTo(Integer.MIN_VALUE);
    }

    private static int ends(MemorySegment data) {
        return data.byteSize() == 0
                ? 0
                : data.get(ValueLayout.JAVA_BYTE, 0) + data.get(ValueLayout.JAVA_BYTE, data.byteSize() - 1);
    }

    /** Reads every value as every type: each either fits or is refused in the documented way. */
    private static void readAll(GgufMetadata metadata) {
        List<Consumer<String>> readers = List.of(
                metadata::string,
                metadata::intValue,
                metadata::longValue,
                metadata::floatValue,
                metadata::bool,
                metadata::strings,
                metadata::floats,
                metadata::ints,
                metadata::bools,
                key -> assertThat(metadata.find(key).toString()).isNotEmpty());
        for (String key : metadata.keys()) {
            for (Consumer<String> reader : readers) {
                try {
                    reader.accept(key);
                } catch (LayercakeException e) {
                    assertThat(e.category()).isEqualTo(Category.BAD_MODEL);
                }
            }
        }
    }
}
