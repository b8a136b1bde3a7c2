package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import dev.layercake.kv.policy.Retention;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for every policy, whatever it keeps. */
class PolicyContractTest {
    private static final int WINDOW = 6;
    private static final KvLayout LAYOUT = new KvLayout(5, 2, 32, DType.BF16, DType.BF16);

    /** Every registered policy at its defaults but small, and the variants of cake. */
    static Stream<String> specs() {
        List<String> specs = new ArrayList<>();
        for (Policies.Description description : Policies.all()) {
            String settings = "";
            for (var parameter : description.parameters()) {
                if (parameter.key().equals("weights")) {
                    settings += ",weights=nobody/opens/this";
                }
                if (parameter.key().equals("profile")) {
                    settings += ",profile=" + (description.name().equals("duo") ? "duo" : "value") + ".profile";
                }
                if (parameter.key().equals("budget")) {
                    settings += ",budget=16";
                }
                if (parameter.key().equals("window")) {
                    settings += ",window=" + WINDOW;
                }
            }
            if (description.name().equals("specache")) {
                settings = ",residual=9,group=8,fetch=3,slow=ram";
            }
            specs.add(description.name() + (settings.isEmpty() ? "" : "(" + settings.substring(1) + ")"));
        }
        for (String more : List.of(
                "cascading=false", "allocation=official", "order=official", "allocation=official,order=official")) {
            specs.add("cake(budget=16,window=" + WINDOW + "," + more + ")");
        }
        specs.add("cake(budget=" + WINDOW + ",window=" + WINDOW + ")");
        specs.add("snapkv(budget=" + WINDOW + ",window=" + WINDOW + ")");
        specs.add("snapkv(budget=16,window=" + WINDOW + ",pool=max)");
        specs.add("streaming(budget=1,sinks=0)");
        String small = "(budget=16,window=" + WINDOW + ")";
        for (String method : List.of("cake", "snapkv", "pyramidkv", "keydiff", "random")) {
            specs.add(method + small + "+ada");
        }
        specs.add("cake" + small + "+ada(alpha=0,normalize=true,rounding=official)");
        specs.add("h2o(budget=16)+ada(alpha=0.5)");
        specs.add("h2o(budget=16,recent=3,counting=false,reduce=max)");
        specs.add("sagekv(budget=16,recent=1,sinks=0,group=logit)");
        specs.add("pyramidkv(budget=16,window=" + WINDOW + ",rounding=official)");
        specs.add("pyramidkv(budget=16,window=" + WINDOW + ",rounding=adakv)+ada(rounding=official)");
        for (String method : List.of(
                "cake",
                "snapkv",
                "knorm",
                "keydiff",
                "h2o(budget=16)",
                "lagkv(budget=16,lag=3)",
                "cur(budget=16,local=5)",
                "streaming(budget=16)",
                "tova")) {
            String budgeted = method.contains("(") ? method : method + small;
            specs.add(budgeted + "+every(steps=7)");
        }
        specs.add("snapkv" + small + "+ada+every(steps=3)");
        specs.add("snapkv" + small + "+every(steps=4,ratio=0.5)");
        specs.add("cake" + small + "+ada+every(steps=3,ratio=0.2)");
        specs.add("snapkv" + small + "+every(steps=1,ratio=0.6)+ada");
        specs.add("h2o(budget=16)+every(steps=2,ratio=0.9)");
        specs.add("streaming(budget=16)+every(steps=5,ratio=0)");
        specs.add("knorm" + small + "+ada+every(steps=2,ratio=0.4)");
        specs.add("quest(budget=8,page=4,dense=1)");
        specs.add("think(ratio=0.5,window=3,residual=9,group=8)");
        specs.add("think(ratio=0.99,residual=0,group=1)");
        specs.add("cake" + small + "+lowbit+every(steps=5)");
        for (String variant : List.of(
                "expected(budget=16,sinks=0,epsilon=0.01,covariance=false)",
                "expected(budget=16,future=1,valuenorm=false)+ada(rounding=floor,alpha=0.3)",
                "observed(budget=16,reduce=max)",
                "lagkv(budget=16,lag=5,cross=true)",
                "lagkv(budget=16,lag=2,sinks=1)+ada(rounding=floor)",
                "cur(budget=16,leverage=average,local=7)",
                "dropkv(budget=16,window=6)+ada",
                "dropkv(budget=16,window=1)+critical",
                "noncausal(budget=16,chunk=13)",
                "noncausal(budget=16,chunk=1,padding=official)+ada",
                "pyramidkv(budget=16,window=6,rounding=kvpress)",
                "snapkv(budget=16,window=6)+critical",
                "expected(budget=16)+ada(rounding=floor)+critical(first=0.25)",
                "cake(budget=16,window=6,cascading=false)+critical",
                "h2o(budget=16)+critical",
                "snapkv(budget=16,window=6)+chunks(length=4)",
                "lagkv(budget=16,lag=5)+chunks(length=3)",
                "expected(budget=16)+chunks(length=16)",
                "keydiff(budget=16)+chunkwise(length=20)",
                "snapkv(budget=16,window=6)+chunkwise(length=7)",
                "expected(budget=16)+chunkwise(length=5)",
                "lagkv(budget=6,lag=3)+chunkwise(length=6)",
                "cur(budget=16)+ada(normalize=true)",
                "expected(budget=16)+blockwise(length=5)",
                "keydiff(budget=16,window=6)+blockwise(length=9)",
                "snapkv(budget=16,window=6)+rerotate",
                "cake(budget=16,window=6)+ada+rerotate",
                "streaming(budget=16)+rerotate",
                "expected(budget=16,window=6)+critical+rerotate",
                "streaming(budget=16,positions=slot)",
                "streaming(budget=1,sinks=0,positions=slot)")) {
            specs.add(variant);
        }
        for (String method : List.of("cake", "snapkv", "pyramidkv", "keydiff", "random", "tova")) {
            specs.add(method + small + "+lowbit(bits=3)");
        }
        for (String cake : List.of("cascading=false", "allocation=official", "order=official")) {
            specs.add("cake(budget=16,window=" + WINDOW + "," + cake + ")+lowbit");
        }
        specs.add("cake" + small + "+ada+lowbit(bits=4,balance=false)");
        specs.add("h2o(budget=16)+lowbit");
        specs.add("h2o(budget=16)+lowbit(bits=0)");
        specs.add("cake" + small + "+lowbit(fetch=3,slow=ram)");
        specs.add("sagekv(budget=16)+lowbit");
        specs.add("streaming(budget=16)+lowbit");
        for (String mikv : List.of("ratio=0", "ratio=1", "ratio=0.5,bits=4", "ratio=0.25,bits=0", "balance=false")) {
            specs.add("mikv(" + mikv + ")");
        }
        specs.add("mikv(ratio=0.4)+ada");
        for (String more : List.of("tokens=streaming", "rule=twolevel", "power=4,least=0", "power=0")) {
            specs.add("baklava(profile=value.profile,budget=16,window=" + WINDOW + "," + more + ")");
        }
        specs.add("baklava(profile=value.profile,budget=16,tokens=streaming,sinks=15)");
        specs.add("baklava(profile=value.profile,budget=" + WINDOW + ",window=" + WINDOW + ")");
        specs.add("duo(profile=duo.profile,sinks=4,recent=9)");
        specs.add("duo(profile=duo.profile,sinks=0,recent=1,ratio=1)");
        specs.add("duo(profile=duo.profile,ratio=0)");
        for (String method : List.of("cake", "snapkv", "random")) {
            specs.add(method + small + "+baklava(profile=value.profile)");
        }
        specs.add("gate(weights=nobody/opens/this,sinks=4,recent=3)");
        for (String kvzip : List.of("chunk=7", "chunk=1,sinks=0", "chunk=20,sinks=10", "sinks=16")) {
            specs.add("kvzip(budget=16," + kvzip + ")");
        }
        specs.add("kvzip(budget=1,sinks=0,chunk=5)");
        specs.add("kvzip(budget=16,chunk=30)+rerotate");
        specs.add("h2o(budget=16)+baklava(profile=value.profile,power=2)");
        specs.add("specache(bits=1,fetch=0,residual=0,group=8)");
        specs.add("specache(fetch=100,residual=30,group=8)");
        return specs.stream();
    }

    static Stream<Arguments> specsAndTypes() {
        return specs().flatMap(spec -> Stream.of(
                        Arguments.of(spec, DType.F32, DType.F32),
                        Arguments.of(spec, DType.F16, DType.F16),
                        Arguments.of(spec, DType.BF16, DType.BF16),
                        Arguments.of(spec, DType.Q8_0, DType.Q8_0),
                        Arguments.of(spec, DType.BF16, DType.Q8_0))
                .filter(arguments -> arguments.get()[1] != DType.Q8_0 || !spec.startsWith("think(ratio=0.99")));
    }

    @ParameterizedTest
    @MethodSource("specsAndTypes")
    void keepsWhatWasStored(String spec, DType keyType, DType valueType) {
        // Half of the channels must be whole blocks.
        int headDim = keyType == DType.Q8_0 && spec.startsWith("think") ? 64 : 32;
        KvLayout layout = new KvLayout(3, 2, headDim, keyType, valueType);
        KvPolicy policy = ToyProfiles.policy(spec, layout);
        try (ToySequence sequence = ToySequence.planned(layout, 2, policy, 45, 5, 3)) {
            sequence.prompt(45);
            assertThat(sequence.cache.tokensSeen()).isEqualTo(45);
            sequence.checkRows();
            sequence.steps(5);
            assertThat(sequence.cache.tokensSeen()).isEqualTo(50);
            sequence.checkRows();
        }
        try (ToySequence sequence = new ToySequence(layout, 2, policy, KvPool.pageBytes(layout, 8) * 1000, 8, 4)) {
            sequence.prompt(23);
            sequence.steps(2);
            sequence.prompt(19);
            sequence.checkRows();
            sequence.steps(2);
            assertThat(sequence.cache.tokensSeen()).isEqualTo(46);
            sequence.checkRows();
        }
    }

    /** One token, and prompts about as long as a window, whatever holds them. */
    @ParameterizedTest
    @MethodSource("specs")
    void takesShortPrompts(String spec) {
        KvPolicy policy = ToyProfiles.policy(spec, LAYOUT);
        for (int prompt : new int[] {1, 2, 3, 5, WINDOW - 1, WINDOW, WINDOW + 1, 15, 16, 17}) {
            try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, prompt, 4, prompt)) {
                sequence.prompt(prompt);
                sequence.checkRows();
                checkProtected(sequence, policy);
                sequence.steps(4);
                assertThat(sequence.cache.tokensSeen()).isEqualTo(prompt + 4);
                sequence.checkRows();
                checkProtected(sequence, policy);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("specs")
    void keepsToItsBudget(String spec) {
        KvPolicy policy = ToyProfiles.policy(spec, LAYOUT);
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, 61, 20, 4)) {
            sequence.prompt(61);
            int prompts = policy.allocator().budget();
            checkBudget(
                    sequence,
                    policy,
                    prompts < Integer.MAX_VALUE ? prompts : policy.allocator().budget(61),
                    0);
            checkProtected(sequence, policy);
            int appended = policy.schedule().eachStep() ? policy.schedule().spare() : 20;
            sequence.steps(20);
            checkBudget(sequence, policy, policy.allocator().budget(81), appended);
            checkProtected(sequence, policy);
        }
    }

    /** What CompressionRatioDecodingPress keeps: a share of all tokens, whatever the prompt was cut to. */
    @ParameterizedTest
    @ValueSource(strings = {"snapkv(budget=16,window=6)", "cake(budget=40,window=6)+ada", "h2o(budget=16,recent=4)"})
    void decodingKeepsAShareOfTheText(String spec) {
        KvPolicy policy = Policies.parse(spec + "+every(steps=1,ratio=0.5)");
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, 45, 30, 4)) {
            sequence.prompt(20);
            sequence.steps(30);
            long total =
                    sequence.cache.slices().stream().mapToLong(Slice::total).sum();
            int heads = LAYOUT.layers() * LAYOUT.kvHeads();
            // Heads of different counts are rounded down one by one.
            assertThat(total).isBetween(24L * heads, 25L * heads);
        }
    }

    private static void checkBudget(ToySequence sequence, KvPolicy policy, long budget, int appended) {
        long total = sequence.cache.slices().stream().mapToLong(Slice::total).sum();
        long heads = (long) LAYOUT.layers() * LAYOUT.kvHeads();
        boolean growsIntoIt = policy.spec().matches(".*every.*ratio=.*") && sequence.cache.tokensSeen() != 61;
        boolean rounded = policy.spec().matches(".*rounding=(official|adakv|kvpress).*");
        if (policy.allocator().budget(sequence.cache.tokensSeen()) == Integer.MAX_VALUE) {
            assertThat(total).isLessThanOrEqualTo(heads * sequence.cache.tokensSeen());
        } else if (policy.evicts() && !rounded) {
            assertThat(total).isLessThanOrEqualTo(heads * (budget + appended));
            if (policy.allocator().monotone()
                    && policy.selection().fillsBudget()
                    && !growsIntoIt
                    && policy.schedule().spare() == 0) {
                assertThat(total).as("the whole budget is used").isEqualTo(heads * (budget + appended));
            }
        }
        if (!policy.evicts()) {
            long low =
                    sequence.cache.slices().stream().mapToLong(Slice::lowTotal).sum();
            assertThat(total + low).isEqualTo(heads * sequence.cache.tokensSeen());
        }
    }

    /** The window's last tokens, or those since, and the sinks stay in every head. */
    private static void checkProtected(ToySequence sequence, KvPolicy policy) {
        int seen = sequence.cache.tokensSeen();
        boolean newestStays = policy.scorer().window() > 0
                || (policy.schedule().eachStep() && !policy.scorer().judgesVectors())
                || !policy.evicts();
        boolean fewerThanTwo =
                policy.name().startsWith("mikv") && policy.allocator().budget(seen) < 2;
        boolean nothingExact = policy.spec().contains("residual=0");
        if (policy.name().startsWith("tova")
                || fewerThanTwo
                || nothingExact
                || policy.spec().equals("gate(weights=nobody/opens/this,sinks=0,recent=0)")
                || (!newestStays && policy.scorer().sinks() == 0)) {
            // They protect nothing, not even the newest token.
            return;
        }
        int window = newestStays ? Math.max(1, policy.scorer().window()) : 0;
        int sinks = Math.min(policy.scorer().sinks(), seen);
        int[] mustStay = IntStream.concat(
                        IntStream.range(0, sinks), IntStream.range(Math.max(sinks, seen - window), seen))
                .toArray();
        for (int layer = 0; layer < LAYOUT.layers(); layer++) {
            for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                assertThat(sequence.held(layer, head)).contains(mustStay);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("specs")
    void isDeterministic(String spec) {
        List<int[]> first = kept(spec, 5);
        List<int[]> second = kept(spec, 5);
        for (int i = 0; i < first.size(); i++) {
            assertThat(second.get(i)).containsExactly(first.get(i));
        }
    }

    private static List<int[]> kept(String spec, long seed) {
        List<int[]> kept = new ArrayList<>();
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, ToyProfiles.policy(spec, LAYOUT), 50, 8, seed)) {
            sequence.prompt(50);
            sequence.steps(8);
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                    kept.add(sequence.cache.positions(layer, head));
                }
            }
        }
        return kept;
    }

    @ParameterizedTest
    @MethodSource("specs")
    void keepsAllThatFits(String spec) {
        KvPolicy policy = ToyProfiles.policy(spec, LAYOUT);
        for (int prompt : new int[] {1, 2, WINDOW - 1, WINDOW, WINDOW + 1, 15, 16}) {
            boolean inTwoTiers = policy.retention() instanceof Retention.RecentExact;
            long fits = fits(policy, prompt);
            if (prompt > fits || inTwoTiers) {
                continue;
            }
            int room = (int) Math.min(4, fits - prompt);
            try (ToySequence sequence = ToySequence.planned(LAYOUT, 1, policy, prompt, room + 3, 6)) {
                sequence.prompt(prompt);
                checkAll(sequence);
                sequence.steps(room);
                checkAll(sequence);
                sequence.checkRows();
                sequence.steps(3);
                sequence.checkRows();
            }
        }
    }

    /** Entries that every head holds before the first one is evicted. */
    private static long fits(KvPolicy policy, int prompt) {
        if (policy.gating() != null || policy.spec().matches("pyramidkv.*rounding=adakv.*rounding=official.*")) {
            // The published code takes an entry from the first layer.
            return 0;
        }
        if (policy.allocator().budget(prompt) != policy.allocator().budget()) {
            return policy.allocator().budget(prompt);
        }
        long least = Integer.MAX_VALUE;
        for (int layer = 0; layer < LAYOUT.layers(); layer++) {
            for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                least = Math.min(least, (long) policy.allocator().uncutCount(LAYOUT.lookback(), layer, head));
            }
        }
        return least + policy.scorer().window();
    }

    private static void checkAll(ToySequence sequence) {
        int[] all = IntStream.range(0, sequence.cache.tokensSeen()).toArray();
        for (int layer = 0; layer < LAYOUT.layers(); layer++) {
            for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                assertThat(sequence.cache.positions(layer, head)).containsExactly(all);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("specs")
    void decodesWithoutAPrompt(String spec) {
        KvPolicy policy = ToyProfiles.policy(spec, LAYOUT);
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, 0, 25, 7)) {
            sequence.steps(25);
            sequence.checkRows();
            if (policy.schedule().eachStep()) {
                checkBudget(
                        sequence,
                        policy,
                        policy.allocator().budget(25),
                        policy.schedule().spare());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("specs")
    void takesSeveralTurns(String spec) {
        KvPolicy policy = ToyProfiles.policy(spec, LAYOUT);
        Random random = new Random(8);
        for (int run = 0; run < 6; run++) {
            try (ToySequence sequence =
                    new ToySequence(LAYOUT, 2, policy, KvPool.pageBytes(LAYOUT, 8) * 1000, 8, 100 + run)) {
                for (int turn = 0; turn < 4; turn++) {
                    int prompt = 1 + random.nextInt(turn == 0 ? 60 : 25);
                    int steps = random.nextInt(6);
                    KvPlan plan = sequence.cache.plan(prompt, steps);
                    sequence.pool.resetPeaks();
                    sequence.prompt(prompt);
                    assertThat(sequence.pool.entriesInUse()).isLessThanOrEqualTo(plan.keptEntries());
                    assertThat(sequence.pool.bytesInUse()).isLessThanOrEqualTo(plan.keptBytes());
                    checkProtected(sequence, policy);
                    sequence.steps(steps);
                    sequence.checkRows();
                    assertThat(sequence.pool.peakEntries())
                            .as("turn " + turn + " of " + prompt + " and " + steps)
                            .isLessThanOrEqualTo(plan.peakEntries());
                    assertThat(sequence.pool.peakBytes()).isLessThanOrEqualTo(plan.peakBytes());
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "Q8_0"})
    void policiesDiffer(DType type) {
        KvLayout layout = new KvLayout(3, 2, 32, type, type);
        int[][] kept = new int[3][];
        String[] specs = {"cake(budget=16,window=6)", "streaming(budget=16)", "random(budget=16,window=6)"};
        for (int i = 0; i < specs.length; i++) {
            try (ToySequence sequence = ToySequence.planned(layout, 2, Policies.parse(specs[i]), 60, 0, 9)) {
                sequence.prompt(60);
                kept[i] = sequence.held(0, 0);
            }
        }
        assertThat(kept[0]).isNotEqualTo(kept[1]);
        assertThat(kept[0]).isNotEqualTo(kept[2]);
        assertThat(kept[1])
                .containsExactly(IntStream.concat(IntStream.range(0, 4), IntStream.range(48, 60))
                        .toArray());
        assertThat(Arrays.stream(kept[2]).filter(position -> position < 54).count())
                .isEqualTo(10);
    }
}
