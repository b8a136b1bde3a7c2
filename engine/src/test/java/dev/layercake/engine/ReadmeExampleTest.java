package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's example of the library: it stands there letter by letter, compiles and runs. */
final class ReadmeExampleTest {
    private final String example;

    ReadmeExampleTest() throws IOException {
        try (var stream = ReadmeExampleTest.class.getResourceAsStream("/readme/Example.java")) {
            if (stream == null) {
                throw new IOException("the example is missing");
            }
            example = new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void standsInTheReadme() throws IOException {
        Path readme = Crumb.root().resolve("README.md");
        assumeTrue(Files.exists(readme), "there is no README.md");
        assertThat(Files.readString(readme)).contains("```java\n" + example + "```\n");
    }

    @Test
    void compilesAndRuns(@TempDir Path folder) throws IOException, InterruptedException {
        Path source = Files.writeString(folder.resolve("Example.java"), example);
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        List<String> command = List.of(
                java.toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "--class-path",
                System.getProperty("java.class.path"),
                source.toString());
        Path output = folder.resolve("output");
        int exitCode = new ProcessBuilder(command)
                .directory(Crumb.root().toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start()
                .waitFor();
        String printed = Files.readString(output);
        assertThat(exitCode).as(printed).isZero();
        assertThat(printed).contains(" 4821\n").contains("cake(budget=512").contains("MiB");
    }
}
