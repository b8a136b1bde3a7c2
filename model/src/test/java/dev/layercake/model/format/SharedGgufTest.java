package dev.layercake.model.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** GGUF files that other programs wrote, where the shared data are at hand; {@link GgufFileTest} needs none of them. */
class SharedGgufTest {
    @Test
    void vocabulariesOfOtherProgramsCanBeRead() throws IOException {
        String given = System.getProperty("layercake.shared", "");
        Path data = (given.isEmpty()
                        ? Path.of(System.getProperty("layercake.root", ".")).resolve("../shared")
                        : Path.of(given))
                .resolve("data");
        assumeTrue(Files.isDirectory(data), "the shared data are not at " + data);
        List<Path> paths = gguf(data);
        assumeTrue(!paths.isEmpty(), "there are no GGUF files under " + data);
        for (Path path : paths) {
            try (ModelFiles files = ModelFiles.open(path)) {
                GgufMetadata metadata = files.metadata().orElseThrow();
                assertThat(metadata.string("general.architecture"))
                        .as(path.toString())
                        .isNotEmpty();
                List<String> tokens = metadata.strings("tokenizer.ggml.tokens");
                assertThat(tokens).as(path.toString()).hasSizeGreaterThan(100);
                assertThat(metadata.ints("tokenizer.ggml.token_type"))
                        .as(path.toString())
                        .hasSameSizeAs(tokens);
                for (String name : files.tensors().names()) {
                    assertThat(files.tensors().data(name).byteSize())
                            .isEqualTo(files.tensors().info(name).bytes());
                }
            }
        }
    }

    private static List<Path> gguf(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
            return files.filter(file -> file.toString().endsWith(".gguf")).toList();
        }
    }
}
