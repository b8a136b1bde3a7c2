package dev.layercake.model.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layercake.kernels.Tensor;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

/** Checkpoints and expected numbers that other programs wrote, in every case that the golden folder lists. */
class GoldenModelFilesTest {
    @TestFactory
    Stream<DynamicTest> everyTensorOfEveryCheckpointCanBeRead() throws URISyntaxException {
        return cases(GoldenModelFilesTest::readCheckpoint);
    }

    @TestFactory
    Stream<DynamicTest> theExpectedNumbersAreReadAsWritten() throws URISyntaxException {
        return cases(GoldenModelFilesTest::readExpected);
    }

    private interface Check {
        void run(JsonNode golden, Path folder);
    }

    private static Stream<DynamicTest> cases(Check check) throws URISyntaxException {
        Path root = goldenFolder();
        Path list = root.resolve("cases.json");
        assumeTrue(Files.isRegularFile(list), "there is no " + list);
        List<DynamicTest> tests = new ArrayList<>();
        for (JsonNode golden : Json.object(list, 1 << 24).get("cases")) {
            tests.add(DynamicTest.dynamicTest(
                    golden.get("name").asString(),
                    () -> check.run(golden, root.resolve(golden.get("dir").asString()))));
        }
        assertThat(tests).isNotEmpty();
        return tests.stream();
    }

    private static Path goldenFolder() throws URISyntaxException {
        String given = System.getProperty("layercake.golden", "");
        if (!given.isEmpty()) {
            return Path.of(given).resolve("model");
        }
        URL copy = GoldenModelFilesTest.class.getResource("/golden/model");
        assumeTrue(copy != null, "the golden checkpoints are not in the test resources");
        return copy == null ? Path.of("") : Path.of(copy.toURI());
    }

    private static void readCheckpoint(JsonNode golden, Path folder) {
        try (ModelFiles files = ModelFiles.open(folder)) {
            TensorSource source = files.tensors();
            assertThat(source.names()).isNotEmpty();
            JsonNode config = files.json("config.json").orElseThrow();
            for (String name : source.names()) {
                assertThat(source.info(name).dtypeName())
                        .isEqualTo(golden.get("weights_dtype").asString());
                Tensor tensor = source.tensor(name);
                assertThat(tensor.bytes()).isEqualTo(source.info(name).bytes()).isPositive();
            }
            Tensor embedding = source.tensor("model.embed_tokens.weight");
            assertThat(embedding.rows()).isEqualTo(config.get("vocab_size").asInt());
            assertThat(embedding.columns()).isEqualTo(config.get("hidden_size").asInt());
            files.json("model.safetensors.index.json").ifPresent(index -> {
                assertThat(source.names()).hasSize(index.get("weight_map").size());
                assertThat(source.names().stream()
                                .mapToLong(name -> source.info(name).bytes())
                                .sum())
                        .isEqualTo(index.get("metadata").get("total_size").asLong());
            });
        }
    }

    private static void readExpected(JsonNode golden, Path folder) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
            int[] greedy = file.data("greedy_ids").toArray(ValueLayout.JAVA_INT_UNALIGNED);
            assertThat(file.info("greedy_ids").dtypeName()).isEqualTo("I32");
            Tensor logits = file.tensor("greedy_logits");
            assertThat(logits.rows()).isEqualTo(greedy.length);
            for (int row = 0; row < greedy.length; row++) {
                float[] values = logits.slice(row, 1).toArray();
                int best = 0;
                for (int i = 1; i < values.length; i++) {
                    best = values[i] > values[best] ? i : best;
                }
                assertThat(best).isEqualTo(greedy[row]);
            }
            // Row 0 of the greedy logits is the last row of the prompt's.
            Tensor prompt = file.tensor("logits");
            assertThat(prompt.slice(prompt.rows() - 1, 1).toArray())
                    .containsExactly(logits.slice(0, 1).toArray(), org.assertj.core.data.Offset.offset(1e-3f));
        }
    }
}
