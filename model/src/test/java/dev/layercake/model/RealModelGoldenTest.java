package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvLayout;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Published models in quantised GGUF files, teacher-forced: tokens of the prompt, and log-probabilities as float32
 * arithmetic on the dequantised weights gives them. The files lie in the folder that the environment variable {@code
 * LAYERCAKE_MODELS} names, or in folders of it; the numbers in {@code real} of {@code -Dlayercake.golden}, or of the
 * shared data, because their prompts are other people's texts. Whatever is absent is reported as skipped, by name;
 * {@link QuantizedModelTest} asks the same of files of our own.
 */
class RealModelGoldenTest {
    /** From so many tokens on, only the exact type and the default one are worth their time. */
    private static final int LONG = 1_500;

    private static final DType USUAL = KvLayout.of(1, 1, 64).keyType();

    /** What keys and values of a type may do to log-probabilities: about twice what was seen on these cases. */
    private record Rounding(DType type, ForcedLogits.Bound bound) {}

    private static final List<Rounding> ROUNDINGS = List.of(
            new Rounding(DType.F32, new ForcedLogits.Bound(5e-5, 2e-4, 5e-4)),
            new Rounding(DType.F16, new ForcedLogits.Bound(0.0015, 0.016, 0.05)),
            new Rounding(DType.BF16, new ForcedLogits.Bound(0.015, 0.125, 0.4)),
            new Rounding(DType.Q8_0, new ForcedLogits.Bound(0.05, 0.75, 1.75)));

    @TestFactory
    Stream<DynamicNode> realModels() throws IOException {
        Optional<Path> models = Optional.ofNullable(System.getenv("LAYERCAKE_MODELS"))
                .filter(name -> !name.isBlank())
                .map(Path::of);
        Path golden = golden();
        if (models.isEmpty() || !Files.isDirectory(golden)) {
            String why = models.isEmpty() ? "LAYERCAKE_MODELS names no folder" : "no golden folder " + golden;
            return Stream.of(DynamicTest.dynamicTest("real models", () -> abort(why)));
        }
        Map<String, List<ForcedLogits>> cases = new LinkedHashMap<>();
        for (ForcedLogits forced : ForcedLogits.all(golden)) {
            cases.merge(
                    forced.model(),
                    List.of(forced),
                    (some, more) -> Stream.concat(some.stream(), more.stream()).toList());
        }
        assertThat(cases).as("cases in %s", golden).isNotEmpty();
        return cases.entrySet().stream().flatMap(entry -> tests(models.get(), entry.getKey(), entry.getValue()));
    }

    private static Path golden() {
        String elsewhere = System.getProperty("layercake.golden", "");
        return elsewhere.isEmpty() ? TestModels.shared().resolve("golden").resolve("real") : Path.of(elsewhere, "real");
    }

    private static Stream<DynamicNode> tests(Path models, String name, List<ForcedLogits> cases) {
        Optional<Path> file = find(models, name);
        if (file.isEmpty()) {
            return Stream.of(DynamicTest.dynamicTest(name, () -> abort("there is no " + name + " in " + models)));
        }
        Stream<DynamicNode> tokens =
                Stream.of(DynamicTest.dynamicTest(name + " tokens", () -> tokens(file.get(), cases)));
        Stream<DynamicNode> numbers = ROUNDINGS.stream()
                .map(rounding -> DynamicTest.dynamicTest(
                        name + " " + rounding.type(), () -> numbers(file.get(), cases, rounding)));
        return Stream.concat(tokens, numbers);
    }

    private static Optional<Path> find(Path folder, String name) {
        try (Stream<Path> files = Files.walk(folder, 2)) {
            return files.filter(path -> path.endsWith(name)).findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static void tokens(Path file, List<ForcedLogits> cases) throws Exception {
        Kernels kernels = KernelSelection.choose().kernels();
        try (Workers workers = new Workers(2);
                Model model = Model.load(file, null, kernels, workers)) {
            for (ForcedLogits forced : cases) {
                assertThat(sha256(file))
                        .as("the file that %s was made of", forced.name())
                        .isEqualTo(forced.sha256());
                assertThat(model.tokenizer().encode(forced.prompt(), true))
                        .as(forced.name())
                        .containsExactly(forced.promptTokens());
            }
        }
    }

    private static void numbers(Path file, List<ForcedLogits> cases, Rounding rounding) {
        Kernels kernels = KernelSelection.choose().kernels();
        DType type = rounding.type();
        try (Workers workers = new Workers(2);
                Model model = Model.load(file, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers)) {
            for (ForcedLogits forced : cases) {
                if (forced.promptTokens().length < LONG || type == DType.F32 || type == USUAL) {
                    forced.check(model, forward, type, rounding.bound());
                }
            }
        }
    }

    private static String sha256(Path file) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (InputStream in = Files.newInputStream(file)) {
            byte[] block = new byte[1 << 20];
            for (int read = in.read(block); read >= 0; read = in.read(block)) {
                digest.update(block, 0, read);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
