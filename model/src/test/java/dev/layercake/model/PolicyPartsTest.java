package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.policy.PositionRule;
import dev.layercake.kv.policy.Rotary;
import dev.layercake.model.format.SafetensorsFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What policies ask of a model, in every architecture: its rotary embedding, its output projection, its queries. */
class PolicyPartsTest {
    private static final List<String> POLICIES = List.of(
            "observed(budget=%d)",
            "expected(budget=%d)",
            "expected(budget=%d)+ada(rounding=floor)+critical",
            "lagkv(budget=%d,lag=6)",
            "cur(budget=%d)",
            "dropkv(budget=%d,window=8)",
            "noncausal(budget=%d,chunk=32)",
            "pyramidkv(budget=%d,window=8,rounding=kvpress)",
            "snapkv(budget=%d,window=8)+critical",
            "snapkv(budget=%d,window=8)+chunks(length=8)",
            "expected(budget=%d)+chunkwise(length=16)",
            "keydiff(budget=%d)+blockwise(length=16)",
            "snapkv(budget=%d,window=8)+rerotate",
            "cake(budget=%d,window=8)+rerotate",
            "kvzip(budget=%d,chunk=16)",
            "kvzip(budget=%d)+rerotate",
            "streaming(budget=%d,positions=slot)");

    private final Kernels kernels = KernelSelection.choose().kernels();

    @FunctionalInterface
    private interface Check {
        void run(Model model, Forward forward, int[] prompt);
    }

    private Stream<DynamicTest> onEveryModel(Check check) {
        GoldenFolder golden = GoldenFolder.named("model");
        return golden.cases().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.path("name").asString(), () -> {
                    Path folder = golden.path().resolve(entry.path("dir").asString());
                    try (Workers workers = new Workers(2);
                            Model model = Model.load(folder, null, kernels, workers);
                            Forward forward = new Forward(model, kernels, workers);
                            SafetensorsFile expected = SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
                        check.run(model, forward, TestModels.integers(expected, "input_ids"));
                    }
                }));
    }

    @TestFactory
    Stream<DynamicTest> everyPolicyRunsAndFitsItsPlan() {
        return onEveryModel((model, forward, prompt) -> {
            for (String policy : POLICIES) {
                String spec = policy.formatted(24);
                try (KvCache cache = TestModels.cache(model, spec, prompt.length, DType.BF16)) {
                    for (int turn = 0; turn < 2; turn++) {
                        cache.lease().reserve(cache.plan(40, 5).peakBytes());
                        Tensor logits = forward.prefill(cache, Arrays.copyOf(prompt, 40 + turn), Forward.Progress.NONE);
                        for (int step = 0; step < 4; step++) {
                            float[] row = Forward.row(logits, 0);
                            assertThat(row[TestModels.argmax(row)]).as(spec).isFinite();
                            logits = forward.decode(cache, TestModels.argmax(row));
                        }
                        long most = 24L + (cache.policy().schedule().eachStep() ? 0 : 4);
                        if (cache.policy().allocator().monotone()) {
                            assertThat(cache.lease().entriesInUse())
                                    .as(spec)
                                    .isLessThanOrEqualTo(most
                                            * model.config().layerCount()
                                            * model.config().kvHeads());
                        }
                    }
                }
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> aBudgetAbovePromptAndAnswerChangesNothing() {
        return onEveryModel((model, forward, prompt) -> {
            List<Integer> full = greedy(model, forward, prompt, "full");
            for (String policy : POLICIES) {
                String spec = policy.formatted(prompt.length + 8);
                assertThat(greedy(model, forward, prompt, spec)).as(spec).isEqualTo(full);
            }
        });
    }

    private static List<Integer> greedy(Model model, Forward forward, int[] prompt, String spec) {
        List<Integer> tokens = new ArrayList<>();
        try (KvCache cache = TestModels.cache(model, spec, prompt.length + 8, DType.BF16)) {
            Tensor logits = forward.prefill(cache, prompt, Forward.Progress.NONE);
            while (tokens.size() < 8) {
                tokens.add(TestModels.argmax(Forward.row(logits, 0)));
                logits = forward.decode(cache, tokens.getLast());
            }
        }
        return tokens;
    }

    /** A rotary embedding that is told to the policies is the one that the keys have. */
    @TestFactory
    Stream<DynamicTest> keysAreRotatedAsThePoliciesAreTold() {
        return onEveryModel((model, forward, prompt) -> {
            // The same token at every position: its keys in the first layer differ by their rotation only.
            int[] same = new int[24];
            Arrays.fill(same, prompt[7]);
            int headDim = model.config().headDim();
            try (KvCache cache = TestModels.cache(model, "full", same.length, DType.F32)) {
                forward.prefill(cache, same, Forward.Progress.NONE);
                Rotary rotary = forward.modelParts().rotary(0, same.length);
                for (KvRows head : cache.rows(0)) {
                    float[] expected = new float[headDim];
                    float[] actual = new float[headDim];
                    for (int slot = 1; slot < head.length(); slot++) {
                        head.readKey(0, expected);
                        rotary.turn(head.position(slot) - head.position(0)).apply(expected);
                        head.readKey(slot, actual);
                        assertThat(actual).containsExactly(expected, within(2e-4f));
                    }
                }
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> theOutputProjectionIsTheLayersOwn() {
        return onEveryModel((model, forward, prompt) -> {
            int layer = model.config().layerCount() - 1;
            Tensor matrix =
                    model.weights().layers().get(layer).attention().output().matrix();
            assertThat(forward.modelParts().outputSize()).isEqualTo((int) matrix.rows());
            try (Arena arena = Arena.ofConfined()) {
                Tensor rows = Tensor.allocate(arena, DType.F32, 2, matrix.columns());
                Tensor one = Tensor.allocate(arena, DType.F32, 1, matrix.columns());
                forward.modelParts().outputRows(layer, 3, rows);
                kernels.dequantize(matrix, 4, one);
                assertThat(rows.slice(1, 1).toArray()).containsExactly(one.toArray());
            }
        });
    }

    /**
     * After a cut, keys that were rotated together are keys as a prompt of the kept tokens would have them, in the first
     * layer, where a key depends on nothing but its token and its place.
     */
    @TestFactory
    Stream<DynamicTest> rerotatedKeysAreThoseOfATextOfTheKeptTokens() {
        return onEveryModel((model, forward, prompt) -> {
            try (KvCache cut = TestModels.cache(model, "knorm(budget=20)+rerotate", prompt.length, DType.F32);
                    KvCache whole = TestModels.cache(model, "full", prompt.length, DType.F32)) {
                assertThat(cut.policy().positions()).isEqualTo(PositionRule.REROTATED);
                forward.prefill(cut, prompt, Forward.Progress.NONE);
                assertThat(cut.tokensSeen()).isEqualTo(prompt.length);
                assertThat(cut.rotations(1).first()).isEqualTo(20);
                int[] positions = cut.positions(0, 0).clone();
                Arrays.sort(positions);
                int[] kept = Arrays.stream(positions).map(i -> prompt[i]).toArray();
                forward.prefill(whole, kept, Forward.Progress.NONE);
                float[] expected = new float[model.config().headDim()];
                float[] actual = new float[model.config().headDim()];
                KvRows rows = cut.rows(0)[0];
                for (int slot = 0; slot < rows.length(); slot++) {
                    rows.readKey(slot, actual);
                    whole.rows(0)[0].readKey(Arrays.binarySearch(positions, rows.position(slot)), expected);
                    assertThat(actual).containsExactly(expected, within(5e-4f));
                }
            }
        });
    }
}
