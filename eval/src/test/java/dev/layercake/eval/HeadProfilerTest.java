package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.engine.LanguageModel;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.HeadDivision;
import dev.layercake.kv.policy.HeadProfile;
import dev.layercake.kv.policy.HeadProfile.Measure;
import dev.layercake.kv.policy.Policies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Profiles of the bundled model: measured once, taken up where they stopped, never worse than equal budgets. */
final class HeadProfilerTest {
    private static final HeadProfiler.Progress NOBODY = (done, total) -> {};
    private static final HeadProfiler.Options SMALL = new HeadProfiler.Options(Measure.VALUE, 3, 160, 2);

    @SuppressWarnings("NullAway.Init")
    private static LanguageModel model;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @BeforeAll
    static void load() {
        model = CrumbModel.load();
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private HeadProfiler profiler(String file, HeadProfiler.Options options) {
        return new HeadProfiler(
                model, CalibrationText.generated(model, options.tokens(), 1), options, folder.resolve(file));
    }

    @Test
    void anInterruptedCalibrationGoesOnWhereItStopped() {
        HeadProfile whole = profiler("whole.json", SMALL).calibrate(NOBODY);
        assertThat(whole.layers()).isEqualTo(model.model().config().layerCount());
        assertThat(whole.fingerprint()).isEqualTo(model.fingerprint()).isNotEmpty();
        assertThat(whole.heads()).allSatisfy(layer -> assertThat(layer).allMatch(value -> value > 0 && value < 2));
        assertThatThrownBy(() -> profiler("part.json", SMALL).calibrate((done, total) -> {
                    if (done > total / 2) {
                        throw new IllegalStateException("the power is gone");
                    }
                }))
                .hasMessage("the power is gone");
        assertThat(folder.resolve("part.json")).doesNotExist();
        AtomicLong first = new AtomicLong(-1);
        HeadProfile continued = profiler("part.json", SMALL).calibrate((done, total) -> {
            if (first.get() < 0) {
                first.set(done * 3 / total);
            }
        });
        assertThat(first.get()).as("texts that were measured before").isEqualTo(1);
        assertThat(continued).isEqualTo(whole);
        assertThat(profiler("part.json", SMALL).calibrate((done, total) -> {
                    throw new IllegalStateException("there is nothing left to do");
                }))
                .isEqualTo(whole);
    }

    @Test
    void otherSettingsAreRefused() throws IOException {
        profiler("p.json", SMALL).calibrate(NOBODY);
        HeadProfiler.Options longer = new HeadProfiler.Options(Measure.VALUE, 3, 170, 2);
        assertThatThrownBy(() -> profiler("p.json", longer).calibrate(NOBODY))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("was made otherwise (tokens was 160 and is now 170)");
        Files.delete(folder.resolve("p.json"));
        assertThatThrownBy(() -> profiler("p.json", longer).calibrate(NOBODY))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining(
                        "holds the beginning of a profile with other settings (tokens was 160 and is now 170)");
        Files.writeString(folder.resolve("p.json.partial"), "nonsense\n");
        assertThatThrownBy(() -> profiler("p.json", SMALL).calibrate(NOBODY))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("line 1, is damaged");
    }

    @Test
    void theSearchIsNeverWorseThanEqualBudgets() {
        HeadProfiler profiler = profiler("with a blank.json", SMALL);
        HeadProfile profile = profiler.search(profiler.calibrate(NOBODY), 12, "snapkv", NOBODY);
        assertThat(profile.settings()).hasSize(1);
        HeadProfile.Setting found = profile.settings().getFirst();
        assertThat(found.loss()).isLessThanOrEqualTo(found.uniformLoss()).isPositive();
        Path file = folder.resolve("with a blank.json");
        assertThat(HeadProfile.read(file)).isEqualTo(profile);
        assertThat(folder.resolve("with a blank.json.partial")).doesNotExist();
        CalibrationText text = CalibrationText.generated(model, 160, 1);
        List<HeldOutText> heldOut =
                IntStream.range(0, 2).mapToObj(text::heldOut).toList();
        Perplexity perplexity = new Perplexity(model);
        String chosen = "baklava(profile=\"" + file + "\",budget=12,window=6)";
        assertThat(perplexity.loss(Policies.parse(chosen), heldOut, (done, all) -> {}))
                .isEqualTo(found.loss());
        assertThat(perplexity.loss(Policies.parse("snapkv(budget=12,window=6)"), heldOut, (done, all) -> {}))
                .isEqualTo(found.uniformLoss());
    }

    @Test
    void theGridHoldsEqualBudgetsOnceAndFirst() {
        assertThat(HeadProfiler.divisions())
                .doesNotHaveDuplicates()
                .startsWith(HeadDivision.UNIFORM)
                .contains(HeadDivision.power(4, 0.1), HeadDivision.twoLevel(0.125, 3))
                .filteredOn(division -> division.power() == 0 && division.factor() == 0)
                .hasSize(1);
    }

    @Test
    void anyTextWillDo() throws IOException {
        Path file = folder.resolve("text.txt");
        Files.writeString(file, "The quick brown fox jumps over the lazy dog, and then it rests. ".repeat(80));
        CalibrationText text = CalibrationText.files(model, folder, 100, 3, 2);
        assertThat(text.prompt(0)).hasSize(100).isNotEqualTo(text.prompt(2));
        assertThat(text.heldOut(1).tokens()).isEqualTo(100);
        assertThat(text.heldOut(1).continuation()).hasSize(25);
        assertThat(text.identity())
                .isNotEqualTo(CalibrationText.generated(model, 100, 1).identity());
        HeadProfiler.Options options = new HeadProfiler.Options(Measure.DUO, 3, 100, 2);
        HeadProfile profile = new HeadProfiler(
                        model, CalibrationText.files(model, file, 100, 3, 0), options, folder.resolve("d.json"))
                .calibrate(NOBODY);
        assertThat(profile.measure()).isEqualTo(Measure.DUO);
        assertThat(profile.heads()).allSatisfy(layer -> assertThat(layer).allMatch(value -> value > 0 && value < 1));
        assertThatThrownBy(() -> CalibrationText.files(model, file, 5000, 3, 2))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("too few for pieces of 5000 tokens");
        assertThatThrownBy(() -> CalibrationText.files(model, folder.resolve("none"), 50, 3, 2))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("cannot be read");
    }
}
