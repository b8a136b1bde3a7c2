package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.policy.Rotary;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** StreamingLLM with positions by slot: a stream of any length, as if every key were rotated to its slot each time. */
class StreamTest {
    private static final int BUDGET = 40;
    private static final int SINKS = 4;
    private static final String SLOTS = "streaming(budget=" + BUDGET + ",sinks=" + SINKS + ",positions=slot)";

    @SuppressWarnings("NullAway.Init")
    private static Kernels kernels;

    @SuppressWarnings("NullAway.Init")
    private static Workers workers;

    @SuppressWarnings("NullAway.Init")
    private static Model model;

    @SuppressWarnings("NullAway.Init")
    private static Forward forward;

    @BeforeAll
    static void load() {
        kernels = KernelSelection.choose().kernels();
        workers = new Workers(2);
        Path crumb = Path.of(System.getProperty("layercake.root"), "models", "crumb");
        model = Model.load(crumb, null, kernels, workers);
        forward = new Forward(model, kernels, workers);
    }

    @AfterAll
    static void close() {
        forward.close();
        model.close();
        workers.close();
    }

    private static int[] tokens(int count, long seed) {
        return new Random(seed).ints(count, 0, model.config().vocabularySize()).toArray();
    }

    private static KvCache cache(String spec, DType type) {
        return TestModels.cache(model, spec, 2 * BUDGET, type);
    }

    private static float[] read(KvCache cache, int[] tokens) {
        cache.lease().reserve(cache.plan(tokens.length, 1).peakBytes());
        return Forward.row(forward.prefill(cache, tokens, Forward.Progress.NONE), 0);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, BUDGET - 1, BUDGET, BUDGET + 1, BUDGET + 2, 150, 700})
    void aPromptIsReadAsIfItsTokensCameOneByOne(int length) {
        int[] tokens = tokens(length, length);
        try (KvCache whole = cache(SLOTS, DType.F32);
                KvCache turns = cache(SLOTS, DType.F32);
                KvCache steps = cache(SLOTS, DType.F32)) {
            float[] prompt = read(whole, tokens);
            float[] last = new float[0];
            for (int first = 0; first < length; first += 17) {
                last = read(turns, Arrays.copyOfRange(tokens, first, Math.min(length, first + 17)));
            }
            assertThat(last).containsExactly(prompt, within(2e-3f));
            for (int token : tokens) {
                last = Forward.row(forward.decode(steps, token), 0);
            }
            assertThat(last).containsExactly(prompt, within(2e-3f));
            assertThat(whole.tokensSeen()).isEqualTo(length);
            assertThat(whole.positions(0, 0)).hasSize(Math.min(length, BUDGET));
        }
    }

    /** A stream of four times the context and more; then the same attention by a reference that rotates all keys. */
    @ParameterizedTest
    @ValueSource(strings = {"F32", "BF16"})
    void aStreamFarBeyondTheContextIsWhatSlotsSay(String type) {
        int length = 4 * model.config().contextLength() + 321;
        try (KvCache cache = cache(SLOTS, DType.valueOf(type))) {
            float[] logits = read(cache, tokens(length, 5));
            for (float logit : logits) {
                assertThat(logit).isFinite().isBetween(-200f, 200f);
            }
            assertThat(cache.tokensSeen()).isEqualTo(length);
            assertThat(cache.lease().peakEntries())
                    .isLessThanOrEqualTo(
                            (long) model.config().layerCount() * model.config().kvHeads() * BUDGET
                                    + model.config().kvHeads());
            // The reference: what the cache holds, all keys taken back to position 0 and rotated to their slots.
            int[] next = tokens(6, 6);
            for (int token : next) {
                float[] expected = bySlots(cache, token);
                float[] actual = Forward.row(forward.decode(cache, token), 0);
                float tolerance = type.equals("F32") ? 5e-3f : 0.15f;
                assertThat(actual).containsExactly(expected, within(tolerance));
            }
        }
    }

    /** The logits of a token if each kept key is rotated from its own position to its slot, in a cache of its own. */
    private static float[] bySlots(KvCache streamed, int token) {
        int layers = model.config().layerCount();
        try (KvCache plain = cache("full", streamed.layout().keyType())) {
            // Room for as many entries as the stream holds; their contents are overwritten.
            read(plain, tokens(BUDGET, 9));
            Rotary rotary = forward.modelParts().rotary(0, BUDGET + 1);
            float[] row = new float[model.config().headDim()];
            for (int layer = 0; layer < layers; layer++) {
                for (int head = 0; head < model.config().kvHeads(); head++) {
                    KvRows from = streamed.rows(layer)[head];
                    KvRows to = plain.rows(layer)[head];
                    int[] order = streamed.positions(layer, head).clone();
                    Arrays.sort(order);
                    for (int slot = 0; slot < from.length(); slot++) {
                        int position = from.position(slot);
                        int place = Arrays.binarySearch(order, position);
                        // A sink's key stands where the last token saw it: one less than the next one will.
                        int rotated = position < SINKS ? position + streamed.tokensSeen() - BUDGET - 1 : position;
                        from.readKey(slot, row);
                        rotary.turn((long) place - rotated).apply(row);
                        to.writeKey(place, row);
                        from.readValue(slot, row);
                        to.writeValue(place, row);
                    }
                }
            }
            plain.lease().reserve(plain.plan(0, 1).peakBytes());
            return Forward.row(forward.decode(plain, token), 0);
        }
    }

    @Test
    void originalPositionsAreOtherPositions() {
        int[] tokens = tokens(300, 11);
        try (KvCache slots = cache(SLOTS, DType.F32);
                KvCache original = cache("streaming(budget=" + BUDGET + ")", DType.F32)) {
            float[] ours = new float[0];
            float[] theirs = new float[0];
            for (int token : tokens) {
                ours = Forward.row(forward.decode(slots, token), 0);
                theirs = Forward.row(forward.decode(original, token), 0);
            }
            assertThat(slots.positions(0, 0)).containsExactlyInAnyOrder(original.positions(0, 0));
            float largest = 0;
            for (int i = 0; i < ours.length; i++) {
                largest = Math.max(largest, Math.abs(ours[i] - theirs[i]));
            }
            assertThat(largest).isGreaterThan(0.01f);
        }
    }

    /** Beyond 2^24 neighbouring positions are one float; slots must not notice. */
    @Test
    void positionsMayExceedWhatAFloatCanCount() {
        Rotary rotary = forward.modelParts().rotary(0, BUDGET + 1);
        AttentionShape shape = model.config().attentionShape(0);
        float[] key = new float[shape.headDim()];
        Arrays.fill(key, 1);
        rotary.turn(30_000_001L).apply(key);
        rotary.turn(-30_000_000L).apply(key);
        float[] expected = new float[shape.headDim()];
        Arrays.fill(expected, 1);
        rotary.turn(1).apply(expected);
        assertThat(key).containsExactly(expected, within(1e-5f));
    }
}
