package dev.layercake.kv;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A slow tier in a temporary file, mapped into memory piece by piece: the system keeps in RAM what it has room for. The
 * file has no name any more once it is open where the system allows that, so that it is gone whatever happens to the
 * process; elsewhere it is deleted when it is closed.
 */
final class FileTier implements Tier {
    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(1 << 16).asReadOnlyBuffer();

    private final Path file;
    private final FileChannel channel;
    private final Arena arena = Arena.ofShared();
    private long bytes;

    /**
     * An empty tier.
     *
     * @param folder where the file is made
     * @throws LayercakeException bad input if no file can be made there
     */
    FileTier(Path folder) {
        try {
            this.file = Files.createTempFile(folder, "layercake-", ".kv");
            this.channel = FileChannel.open(
                    file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE);
        } catch (IOException e) {
            throw LayercakeException.badInput("The slow tier's file cannot be made in " + folder + " (" + e.getMessage()
                    + "); name a folder that can be written with -Djava.io.tmpdir, or use slow=ram.");
        }
        deleteName();
    }

    private void deleteName() {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // A system that does not delete open files: then closing does.
            file.toFile().deleteOnExit();
        }
    }

    /** Where the file was made; it may have no name any more. */
    Path file() {
        return file;
    }

    @Override
    public MemorySegment grow(long more) {
        try {
            // Room in a mapped file that was never written is given at the first write, or not: too late for an
            // exception.
            ByteBuffer zeros = ZEROS.duplicate();
            for (long at = bytes; at < bytes + more; ) {
                zeros.clear().limit((int) Math.min(zeros.capacity(), bytes + more - at));
                at += channel.write(zeros, at);
            }
            MemorySegment piece = channel.map(MapMode.READ_WRITE, bytes, more, arena);
            bytes += more;
            return piece;
        } catch (IOException e) {
            shrink();
            throw LayercakeException.overCapacity("The slow tier's file in " + file.getParent() + " cannot grow from "
                    + bytes + " to " + (bytes + more) + " bytes (" + e.getMessage()
                    + "); make room there, name another folder with -Djava.io.tmpdir, or use slow=ram.");
        }
    }

    /** Gives back what was written of a piece that did not fit. */
    private void shrink() {
        try {
            channel.truncate(bytes);
        } catch (IOException e) {
            // What is left over goes with the file.
        }
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public void close() {
        // Not the channel: an interrupt closes it alone.
        if (!arena.scope().isAlive()) {
            return;
        }
        arena.close();
        try {
            channel.close();
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
