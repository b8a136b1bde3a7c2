package dev.layercake.engine;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/** How much memory a process could still take without pushing others out. */
final class MachineMemory {
    private static final Path SYSTEM = Path.of("/proc/meminfo");
    private static final Path CONTAINER = Path.of("/sys/fs/cgroup");

    private final Path system;
    private final Path container;

    private MachineMemory(Path system, Path container) {
        this.system = system;
        this.container = container;
    }

    /** The machine that this process runs on. */
    static MachineMemory here() {
        return new MachineMemory(SYSTEM, CONTAINER);
    }

    /** A machine described by files in Linux's form; for tests. */
    static MachineMemory of(Path meminfo, Path cgroup) {
        return new MachineMemory(meminfo, cgroup);
    }

    /**
     * Bytes that are free or hold nothing but cached files, within the limit of a container if there is one. Where the
     * system does not say, half of its memory.
     */
    long availableBytes() {
        OptionalLong ofSystem = field(system, "MemAvailable:", 1024);
        long available = ofSystem.isPresent() ? ofSystem.getAsLong() : guess();
        OptionalLong limit = number(container.resolve("memory.max"));
        OptionalLong used = number(container.resolve("memory.current"));
        if (limit.isPresent() && used.isPresent()) {
            long cachedFiles =
                    field(container.resolve("memory.stat"), "inactive_file ", 1).orElse(0);
            available = Math.min(available, Math.max(0, limit.getAsLong() - used.getAsLong() + cachedFiles));
        }
        return available;
    }

    /** Free memory alone would be far too little where the system fills it with caches. */
    private static long guess() {
        OperatingSystemMXBean machine = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        return Math.max(machine.getFreeMemorySize(), machine.getTotalMemorySize() / 2);
    }

    private static OptionalLong field(Path file, String name, long unitBytes) {
        try {
            for (String line : Files.readAllLines(file)) {
                if (line.startsWith(name)) {
                    String digits = line.substring(name.length()).replaceAll("[^0-9]", "");
                    return digits.isEmpty()
                            ? OptionalLong.empty()
                            : OptionalLong.of(Long.parseLong(digits) * unitBytes);
                }
            }
            return OptionalLong.empty();
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    private static OptionalLong number(Path file) {
        try {
            return OptionalLong.of(Long.parseLong(Files.readString(file).strip()));
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}
