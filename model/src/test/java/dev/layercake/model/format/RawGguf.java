package dev.layercake.model.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** A GGUF file put together by hand, so that it can also be wrong. */
final class RawGguf {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    RawGguf(int version, long tensors, long entries) {
        out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        int32(version).int64(tensors).int64(entries);
    }

    RawGguf int32(int value) {
        return little(value, 4);
    }

    RawGguf int64(long value) {
        return little(value, 8);
    }

    private RawGguf little(long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            out.write((int) (value >>> (8 * i)));
        }
        return this;
    }

    RawGguf string(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        int64(utf8.length);
        out.writeBytes(utf8);
        return this;
    }

    /** @param dimensions innermost first, as in the file */
    RawGguf tensor(String name, int type, long offset, long... dimensions) {
        string(name).int32(dimensions.length);
        for (long dimension : dimensions) {
            int64(dimension);
        }
        return int32(type).int64(offset);
    }

    RawGguf bytes(int... bytes) {
        for (int b : bytes) {
            out.write(b);
        }
        return this;
    }

    RawGguf zeros(int count) {
        out.writeBytes(new byte[count]);
        return this;
    }

    RawGguf alignTo(int alignment) {
        return zeros((alignment - out.size() % alignment) % alignment);
    }

    Path write(Path file) throws IOException {
        return Files.write(file, out.toByteArray());
    }
}
