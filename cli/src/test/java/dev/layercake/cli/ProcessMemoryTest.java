package dev.layercake.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a plan promises is what the system sees: the resident memory of a process of its own, at its peak, where Linux
 * tells it. Of Crumb everywhere, and of the models in the folder {@code LAYERCAKE_MODELS} where it is given.
 */
final class ProcessMemoryTest {
    /**
     * A quarter, where a tenth was seen: how much the virtual machine's compilers take at once depends on what else the
     * machine has to do.
     */
    private static final double SHARE = 0.25;

    private static final List<String> WORDS = List.of("the", "harbour", "rain", "fell", "on", "a", "night", "nobody");

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @TestFactory
    Stream<DynamicTest> plansHold() throws IOException {
        assumeTrue(Files.isReadable(Path.of("/proc/self/status")), "this system has no /proc");
        Path crumb = Path.of(System.getProperty("layercake.root", ".."), "models", "crumb");
        List<DynamicTest> tests = new ArrayList<>(List.of(test(crumb, 1), test(crumb, 500)));
        String models = System.getenv().getOrDefault("LAYERCAKE_MODELS", "");
        if (models.isBlank()) {
            tests.add(DynamicTest.dynamicTest("real models", () -> abort("LAYERCAKE_MODELS names no folder")));
        } else {
            try (Stream<Path> files = Files.walk(Path.of(models), 2)) {
                files.filter(file -> file.toString().endsWith(".gguf")).sorted().forEach(file -> {
                    tests.add(test(file, 1));
                    tests.add(test(file, 4_000));
                });
            }
        }
        return tests.stream();
    }

    private DynamicTest test(Path model, int words) {
        return DynamicTest.dynamicTest(model.getFileName() + ", " + words + " words", () -> check(model, words));
    }

    private void check(Path model, int words) throws IOException, InterruptedException {
        Path text = folder.resolve(words + ".txt");
        Random random = new Random(1);
        StringBuilder content = new StringBuilder();
        for (int word = 0; word < words; word++) {
            content.append(WORDS.get(random.nextInt(WORDS.size()))).append(' ');
        }
        Files.writeString(text, content);
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--add-modules",
                        "jdk.incubator.vector",
                        "--enable-native-access=ALL-UNNAMED",
                        // As the launcher starts it.
                        "-Xms16m",
                        "-Xmx2g",
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        PeakMemory.class.getName(),
                        "run",
                        "-m",
                        model.toString(),
                        "--raw",
                        "--kv",
                        "full",
                        "--json",
                        "-n",
                        "8",
                        "-f",
                        text.toString())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        assertThat(process.waitFor()).as(Files.readString(err, UTF_8)).isZero();
        JsonNode memory = JsonMapper.shared().readTree(out.toFile()).path("memory");
        long planned = memory.path("planned_total_bytes").asLong();
        long peak = Files.readString(err, UTF_8)
                .lines()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
                .findFirst()
                .orElseThrow();
        assertThat((double) peak)
                .as("peak beside the plan %s", memory)
                .isBetween((1 - SHARE) * planned, (1 + SHARE) * planned);
    }
}
