package dev.layercake.model.tokenizer;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Finds added tokens in a text: from left to right, the longest of those that begin at a place. Immutable. */
final class AddedTokenFinder {
    /** Takes the parts of a text in order: an added token, or a stretch without one. */
    @FunctionalInterface
    interface Parts {
        void part(int start, int end, @Nullable AddedToken token);
    }

    /** Says of a token found at a place whether it is ordinary text there. */
    @FunctionalInterface
    interface Exempt {
        boolean isText(AddedToken token, int start, int end);
    }

    private static final int NONE = -1;

    private final boolean[] beginsInAscii = new boolean[128];
    private final Map<Long, Integer> nodes = new HashMap<>();
    private final AddedToken[] tokens;
    private int[] tokenOfNode = new int[64];
    private int nodeCount = 1;
    private boolean beginsBeyondAscii;

    /** @param contents what stands for each of {@code tokens} in the text, never empty */
    AddedTokenFinder(List<AddedToken> tokens, List<String> contents) {
        this.tokens = tokens.toArray(AddedToken[]::new);
        tokenOfNode[0] = NONE;
        for (int i = 0; i < this.tokens.length; i++) {
            add(contents.get(i), i);
        }
    }

    private void add(String content, int token) {
        if (content.charAt(0) < 128) {
            beginsInAscii[content.charAt(0)] = true;
        } else {
            beginsBeyondAscii = true;
        }
        int node = 0;
        for (int i = 0; i < content.length(); i++) {
            long edge = edge(node, content.charAt(i));
            Integer next = nodes.get(edge);
            if (next == null) {
                next = nodeCount++;
                nodes.put(edge, next);
                if (next == tokenOfNode.length) {
                    tokenOfNode = Arrays.copyOf(tokenOfNode, next * 2);
                }
                tokenOfNode[next] = NONE;
            }
            node = next;
        }
        tokenOfNode[node] = token;
    }

    private static long edge(int node, char c) {
        return ((long) node << 16) | c;
    }

    boolean isEmpty() {
        return tokens.length == 0;
    }

    /**
     * Cuts a text into added tokens and stretches.
     *
     * @param exempt what to leave in the text; null for nothing
     */
    void cut(String text, @Nullable Exempt exempt, Parts parts) {
        int done = 0;
        int at = 0;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c < 128 ? !beginsInAscii[c] : !beginsBeyondAscii) {
                at++;
                continue;
            }
            long found = longest(text, at, exempt);
            if (found < 0) {
                at++;
                continue;
            }
            AddedToken token = tokens[(int) found];
            int end = (int) (found >>> 32);
            if (token.singleWord() && (wordBefore(text, at) || wordAfter(text, end))) {
                at = end;
                continue;
            }
            int start = at;
            while (token.leftStrip() && start > done && Unicode.isSpace(text.charAt(start - 1))) {
                start--;
            }
            at = end;
            while (token.rightStrip() && end < text.length() && Unicode.isSpace(text.charAt(end))) {
                end++;
            }
            if (start > done) {
                parts.part(done, start, null);
            }
            parts.part(start, end, token);
            done = end;
        }
        if (done < text.length()) {
            parts.part(done, text.length(), null);
        }
    }

    /** The longest token that begins at {@code start}, or null. */
    @Nullable
    AddedToken at(String text, int start) {
        long found = longest(text, start, null);
        return found < 0 ? null : tokens[(int) found];
    }

    /** The end of the longest token in the upper half and its index in the lower, or -1. */
    private long longest(String text, int start, @Nullable Exempt exempt) {
        long best = NONE;
        int node = 0;
        for (int i = start; i < text.length(); i++) {
            Integer next = nodes.get(edge(node, text.charAt(i)));
            if (next == null) {
                break;
            }
            node = next;
            int token = tokenOfNode[node];
            if (token >= 0 && (exempt == null || !exempt.isText(tokens[token], start, i + 1))) {
                best = ((long) (i + 1) << 32) | token;
            }
        }
        return best;
    }

    private static boolean wordBefore(String text, int at) {
        return at > 0 && Unicode.isWord(text.codePointBefore(at));
    }

    private static boolean wordAfter(String text, int at) {
        return at < text.length() && Unicode.isWord(text.codePointAt(at));
    }
}
