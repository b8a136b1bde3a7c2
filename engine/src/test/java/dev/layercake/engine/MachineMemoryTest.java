package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MachineMemoryTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @BeforeEach
    void writeSystem() throws IOException {
        Files.writeString(folder.resolve("meminfo"), "MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable:   60 kB\n");
    }

    @Test
    void theSystemSaysWhatIsAvailable() {
        assertThat(memory().availableBytes()).isEqualTo(60 * 1024);
    }

    @Test
    void aContainerMayLimitIt() throws IOException {
        Files.writeString(folder.resolve("memory.max"), "40960\n");
        Files.writeString(folder.resolve("memory.current"), "30960\n");
        Files.writeString(folder.resolve("memory.stat"), "anon 1\ninactive_file 2000\n");
        assertThat(memory().availableBytes()).isEqualTo(12_000);
    }

    @Test
    void aContainerWithoutALimitDoesNot() throws IOException {
        Files.writeString(folder.resolve("memory.max"), "max\n");
        Files.writeString(folder.resolve("memory.current"), "30960\n");
        assertThat(memory().availableBytes()).isEqualTo(60 * 1024);
    }

    @Test
    void whereNothingIsSaidItIsGuessed() {
        assertThat(MachineMemory.of(folder.resolve("none"), folder).availableBytes())
                .isGreaterThan(1 << 20);
        assertThat(MachineMemory.here().availableBytes()).isGreaterThan(1 << 20);
    }

    private MachineMemory memory() {
        return MachineMemory.of(folder.resolve("meminfo"), folder);
    }
}
