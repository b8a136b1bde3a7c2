package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A model whose rotary frequencies depend on the length, in conversations that cross the length where they change. */
final class LongRopeTest {
    private static final int ORIGINAL = 128;
    private static final int TURN = 60;

    @TempDir
    private static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static LanguageModel model;

    @SuppressWarnings("NullAway.Init")
    private static int[] text;

    @BeforeAll
    static void load() throws IOException {
        CrumbVariant.in(
                folder, config -> config.replaceFirst("\\{", """
                        {"rope_parameters": {"rope_type": "longrope", "rope_theta": 10000000.0,
                          "original_max_position_embeddings": %d, "short_factor": [%s], "long_factor": [%s]},
                        """.formatted(ORIGINAL, factors(0.01), factors(0.1))));
        model = load(0);
        String prompt = Haystack.generate(11, 440, 2, .5, words -> words.length() / 4 + 1)
                .prompt();
        int[] tokens = model.model().tokenizer().encode(prompt, false);
        assertThat(tokens).hasSizeGreaterThan(TURN + 320);
        text = Arrays.copyOf(tokens, TURN + 320);
    }

    private static LanguageModel load(int contextTokens) {
        return LanguageModel.load(
                folder,
                EngineOptions.builder()
                        .threads(2)
                        .keyType(DType.F32)
                        .valueType(DType.F32)
                        .contextTokens(contextTokens)
                        .build());
    }

    private static String factors(double step) {
        return IntStream.range(0, 32)
                .mapToObj(pair -> Double.toString(1 + step * pair))
                .collect(Collectors.joining(", "));
    }

    @AfterAll
    static void close() {
        model.close();
    }

    @ParameterizedTest
    @MethodSource("dev.layercake.engine.EveryPolicyTest#roomySpecs")
    void twoTurnsReadAsOne(String spec) {
        int[] continuation = Arrays.copyOf(text, 6);
        try (Session whole = model.session(spec);
                Session turns = model.session(spec)) {
            turns.feed(Arrays.copyOf(text, TURN));
            double[] later = turns.score(Arrays.copyOfRange(text, TURN, text.length), continuation);
            assertThat(later).containsExactly(whole.score(text, continuation), within(1e-4));
        }
    }

    @Test
    void theContextDecidesWhichFactorsHold() {
        int[] prompt = Arrays.copyOf(text, 40);
        int[] continuation = Arrays.copyOfRange(text, 40, 46);
        try (LanguageModel brief = load(ORIGINAL);
                Session withShort = brief.session("full");
                Session withLong = model.session("full")) {
            double[] ofShort = withShort.score(prompt, continuation);
            double[] ofLong = withLong.score(prompt, continuation);
            double largest = IntStream.range(0, ofLong.length)
                    .mapToDouble(index -> Math.abs(ofLong[index] - ofShort[index]))
                    .max()
                    .orElseThrow();
            assertThat(largest).isGreaterThan(0.01);
        }
    }

    /** Dynamic scaling goes by the length that a session may reach, too. */
    @ParameterizedTest
    @ValueSource(strings = {"full", "cake(budget=500,window=16)"})
    void dynamicScalingReadsTwoTurnsAsOne(String spec, @TempDir Path variant) throws IOException {
        CrumbVariant.in(
                variant,
                config -> config.replaceFirst("\\{", """
                        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0},
                        """)
                        .replace("\"max_position_embeddings\": 2048", "\"max_position_embeddings\": " + ORIGINAL));
        EngineOptions.Builder options =
                EngineOptions.builder().threads(2).keyType(DType.F32).valueType(DType.F32);
        int[] continuation = Arrays.copyOf(text, 6);
        try (LanguageModel far = LanguageModel.load(
                        variant, options.contextTokens(400).beyondContext(true).build());
                LanguageModel near =
                        LanguageModel.load(variant, options.contextTokens(100).build());
                Session whole = far.session(spec);
                Session turns = far.session(spec);
                Session brief = near.session(spec);
                Session farther = far.session(spec)) {
            turns.feed(Arrays.copyOf(text, TURN));
            double[] later = turns.score(Arrays.copyOfRange(text, TURN, text.length), continuation);
            assertThat(later).containsExactly(whole.score(text, continuation), within(1e-4));
            int[] start = Arrays.copyOf(text, 40);
            assertThat(farther.score(start, continuation)).isNotEqualTo(brief.score(start, continuation));
        }
    }
}
