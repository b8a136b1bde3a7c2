package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;

/**
 * One GGUF file of version 2 or 3, little-endian, memory-mapped. Metadata are read when it is opened; tensors stay where
 * they are. Tensors of types that the kernels do not know are listed, and their bytes can be read.
 */
public final class GgufFile implements TensorSource {
    private final MappedFile file;
    private final GgufHeader header;

    private GgufFile(MappedFile file, GgufHeader header) {
        this.file = file;
        this.header = header;
    }

    /**
     * Opens a file and checks all that it says about itself against its size.
     *
     * @throws LayercakeException (bad model) if the file cannot be read or is not a sound GGUF file
     */
    public static GgufFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        boolean sound = false;
        try {
            GgufFile opened = new GgufFile(file, GgufHeader.read(file));
            sound = true;
            return opened;
        } finally {
            if (!sound) {
                file.close();
            }
        }
    }

    public GgufMetadata metadata() {
        return header.metadata();
    }

    /** Version of the format. */
    public int version() {
        return header.version();
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(header.tensors().keySet());
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        return Optional.ofNullable(header.tensors().get(name)).map(Placed::info);
    }

    @Override
    public MemorySegment data(String name) {
        Placed placed = header.tensors().get(name);
        if (placed == null) {
            throw MappedFile.noTensor(path(), name);
        }
        return file.bytes().asSlice(placed.offset(), placed.info().bytes());
    }

    @Override
    public long fileBytes() {
        return file.size();
    }

    @Override
    public void close() {
        file.close();
    }
}
