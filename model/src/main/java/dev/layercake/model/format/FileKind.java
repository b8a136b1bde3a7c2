package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What a file is, told from its first bytes. */
enum FileKind {
    GGUF,
    SAFETENSORS,
    JSON,
    PYTORCH,
    OLD_GGML,
    UNKNOWN;

    private static final int BYTES_READ = 32;

    /**
     * Looks at a file's beginning.
     *
     * @throws LayercakeException (bad model) if there is no file to read, or only Git LFS's note of where it is
     */
    static FileKind of(Path path) {
        MappedFile.requireRegularFile(path);
        byte[] first;
        try (InputStream in = Files.newInputStream(path)) {
            first = in.readNBytes(BYTES_READ);
        } catch (IOException e) {
            throw MappedFile.unreadable(path, e);
        }
        if (first.length == 0) {
            throw MappedFile.empty(path);
        }
        String text = new String(first, StandardCharsets.ISO_8859_1);
        if (text.startsWith(MappedFile.LFS_POINTER)) {
            throw MappedFile.lfsPointer(path);
        }
        if (text.startsWith(GgufHeader.MAGIC)) {
            return GGUF;
        }
        if (text.startsWith("PK\3\4") || text.startsWith("\200\2")) {
            return PYTORCH;
        }
        if (Stream.of("lmgg", "fmgg", "tjgg", "algg").anyMatch(text::startsWith)) {
            return OLD_GGML;
        }
        if (text.startsWith("{")) {
            return JSON;
        }
        return safetensors(first) ? SAFETENSORS : UNKNOWN;
    }

    private static boolean safetensors(byte[] first) {
        if (first.length <= SafetensorsHeader.LENGTH_BYTES || first[SafetensorsHeader.LENGTH_BYTES] != '{') {
            return false;
        }
        long length = ByteBuffer.wrap(first).order(ByteOrder.LITTLE_ENDIAN).getLong();
        return length > 0 && length <= Json.LARGEST_HEADER_BYTES;
    }
}
