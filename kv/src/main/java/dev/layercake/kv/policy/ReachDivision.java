package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * How a budget is divided in a model some of whose layers have a sliding window.
 *
 * <p>What a layer cannot hold of the equal share flows to the layers that see farther. It flows more to the lower ones, in
 * proportion to the layers that are computed from what a layer puts out, itself included: what a layer has lost, all after it
 * build upon. (On Gemma 3 270M, whose layers 5, 11 and 17 of 18 see everything, the same cut of one of them moved
 * log-probabilities by 0.070, 0.056 and 0.006. PyramidKV, arXiv 2406.02069, gives lower layers more for its own reasons.)
 * No layer gets less than its equal share for it.
 *
 * <p>Layers that see equally far are a kind. Each kind has what equal shares and what flows add up to, and claims divide
 * that among the layers of the kind only: the attention of a layer that sees 512 tokens and that of one that sees all are
 * spread over different things, and say nothing about each other. What the kinds have is known before the first layer, so
 * that within each the promises of {@link WaterfillBudget} hold, and hence in all.
 */
final class ReachDivision {
    private ReachDivision() {}

    /**
     * What flows to each layer, window excluded; 0 where nothing does.
     *
     * @param budget entries per head and layer on average, window included
     * @param window part of the budget that each layer has for sure
     */
    static int[] flow(int budget, int window, Lookback lookback) {
        int layers = lookback.layers();
        int share = budget - window;
        int[] room = lookback.beside(window);
        double[] weights = new double[layers];
        long flow = lookback.unusable(window);
        for (int layer = 0; layer < layers; layer++) {
            flow += Math.max(0, share - room[layer]);
            room[layer] = Math.max(0, room[layer] - share);
            weights[layer] = layers - layer;
        }
        return WaterfillBudget.fill(weights, flow, room);
    }

    /** What flows to each of the first layers, as far as it can hold it. */
    static int[] flow(int budget, int window, Lookback lookback, int[] most) {
        int[] flow = Arrays.copyOf(flow(budget, window, lookback), most.length);
        for (int layer = 0; layer < flow.length; layer++) {
            flow[layer] = Math.min(flow[layer], most[layer]);
        }
        return flow;
    }

    /**
     * Divides the total of a stage among the layers that share it.
     *
     * @param claims of these layers, finite, not negative
     */
    static int[] divide(int budget, int window, Stage stage, double[] claims) {
        int[] held = new int[claims.length];
        Arrays.setAll(held, stage::held);
        long total = stage.total(budget, window);
        Lookback lookback = stage.lookback();
        if (!lookback.limited()) {
            return WaterfillBudget.fill(claims, total, held);
        }
        int[] flow = flow(budget, window, lookback, held);
        int[] kinds = kinds(lookback);
        int[] heldByKind = new int[stage.layers()];
        for (int layer = 0; layer < held.length; layer++) {
            heldByKind[kinds[layer]] = Math.addExact(heldByKind[kinds[layer]], held[layer]);
        }
        int[] ofKind = WaterfillBudget.fill(equalByKind(budget, window, stage, kinds), total, heldByKind);
        int[] counts = new int[claims.length];
        for (int kind = 0; kind < ofKind.length; kind++) {
            int[] members = members(kinds, kind, claims.length);
            int[] sure = pick(flow, members);
            double[] claim =
                    Arrays.stream(members).mapToDouble(layer -> claims[layer]).toArray();
            int[] own = WaterfillBudget.fillBeside(sure, claim, ofKind[kind], pick(held, members));
            for (int i = 0; i < members.length; i++) {
                counts[members[i]] = own[i];
            }
        }
        return counts;
    }

    /** For each layer the first one that sees as far. */
    private static int[] kinds(Lookback lookback) {
        int[] kinds = new int[lookback.layers()];
        for (int layer = 0; layer < kinds.length; layer++) {
            int first = 0;
            while (lookback.of(first) != lookback.of(layer)) {
                first++;
            }
            kinds[layer] = first;
        }
        return kinds;
    }

    /** What the layers of each kind have together by equal shares and what flows, as far as the whole model can hold it. */
    private static double[] equalByKind(int budget, int window, Stage stage, int[] kinds) {
        int layers = stage.layers();
        int[] candidates = new int[layers];
        Arrays.setAll(candidates, stage::candidates);
        double[] equal = new double[layers];
        Arrays.fill(equal, 1);
        long total = (long) (budget - window) * layers + stage.lookback().unusable(window);
        int[] flow = flow(budget, window, stage.lookback(), candidates);
        int[] shares = WaterfillBudget.fillBeside(flow, equal, total, candidates);
        double[] sums = new double[layers];
        for (int layer = 0; layer < layers; layer++) {
            sums[kinds[layer]] += shares[layer];
        }
        return sums;
    }

    private static int[] members(int[] kinds, int kind, int seen) {
        int count = 0;
        int[] members = new int[seen];
        for (int layer = 0; layer < seen; layer++) {
            if (kinds[layer] == kind) {
                members[count++] = layer;
            }
        }
        return Arrays.copyOf(members, count);
    }

    private static int[] pick(int[] ofLayers, int[] members) {
        return Arrays.stream(members).map(layer -> ofLayers[layer]).toArray();
    }
}
