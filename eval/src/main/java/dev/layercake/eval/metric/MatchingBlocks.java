package dev.layercake.eval.metric;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Likeness of two texts by the blocks that they share (Ratcliff and Obershelp's gestalt matching) as Python's {@code difflib}
 * finds them, with its rule that code points which fill more than a hundredth of a long second text begin no block.
 */
final class MatchingBlocks {
    /** From this length of the second text on, frequent code points begin no block. */
    private static final int LONG = 200;

    private final int[] first;
    private final int[] second;
    private final Map<Integer, List<Integer>> places = new HashMap<>();

    private record Span(int firstBegin, int firstEnd, int secondBegin, int secondEnd) {
        boolean isEmpty() {
            return firstBegin == firstEnd || secondBegin == secondEnd;
        }
    }

    private record Block(int first, int second, int size) {}

    private MatchingBlocks(String first, String second) {
        this.first = first.codePoints().toArray();
        this.second = second.codePoints().toArray();
        for (int j = 0; j < this.second.length; j++) {
            places.computeIfAbsent(this.second[j], any -> new ArrayList<>()).add(j);
        }
        if (this.second.length >= LONG) {
            int often = this.second.length / 100 + 1;
            places.values().removeIf(list -> list.size() > often);
        }
    }

    /** {@code SequenceMatcher(None, first, second).ratio()}: 2 M / T for M matched of T code points; 1 for two empty texts. */
    static double ratio(String first, String second) {
        MatchingBlocks blocks = new MatchingBlocks(first, second);
        int total = blocks.first.length + blocks.second.length;
        return total == 0 ? 1 : 2.0 * blocks.matched() / total;
    }

    private int matched() {
        int matched = 0;
        Deque<Span> open = new ArrayDeque<>();
        open.push(new Span(0, first.length, 0, second.length));
        while (!open.isEmpty()) {
            Span span = open.pop();
            if (span.isEmpty()) {
                continue;
            }
            Block block = longest(span);
            if (block.size > 0) {
                matched += block.size;
                open.push(new Span(span.firstBegin, block.first, span.secondBegin, block.second));
                open.push(new Span(block.first + block.size, span.firstEnd, block.second + block.size, span.secondEnd));
            }
        }
        return matched;
    }

    /** The longest block in a span that rare code points begin, of several the first; then as long as its ends agree. */
    private Block longest(Span span) {
        Block best = new Block(span.firstBegin, span.secondBegin, 0);
        Map<Integer, Integer> lengths = Map.of();
        for (int i = span.firstBegin; i < span.firstEnd; i++) {
            Map<Integer, Integer> longer = new HashMap<>();
            for (int j : places.getOrDefault(first[i], List.of())) {
                if (j >= span.secondBegin && j < span.secondEnd) {
                    int length = lengths.getOrDefault(j - 1, 0) + 1;
                    longer.put(j, length);
                    if (length > best.size) {
                        best = new Block(i - length + 1, j - length + 1, length);
                    }
                }
            }
            lengths = longer;
        }
        return extended(best, span);
    }

    private Block extended(Block block, Span span) {
        int i = block.first;
        int j = block.second;
        int size = block.size;
        while (i > span.firstBegin && j > span.secondBegin && first[i - 1] == second[j - 1]) {
            i--;
            j--;
            size++;
        }
        while (i + size < span.firstEnd && j + size < span.secondEnd && first[i + size] == second[j + size]) {
            size++;
        }
        return new Block(i, j, size);
    }
}
