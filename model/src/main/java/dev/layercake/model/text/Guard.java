package dev.layercake.model.text;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The names of special tokens in a text: where they are, and how to mark those that must not be taken for tokens. */
final class Guard {
    /** U+FDD0 is a noncharacter: it is for use inside a program and never part of a text. */
    static final char MARK = '\uFDD0';

    private static final char REPLACEMENT = '\uFFFD';

    private final Map<Character, List<AddedToken>> specialByFirst = new HashMap<>();

    Guard(List<AddedToken> addedTokens) {
        for (AddedToken token : addedTokens) {
            if (token.special()) {
                specialByFirst
                        .computeIfAbsent(token.content().charAt(0), first -> new ArrayList<>())
                        .add(token);
            }
        }
        Comparator<AddedToken> longestFirst = Comparator.comparingInt(
                        (AddedToken token) -> token.content().length())
                .reversed();
        for (List<AddedToken> tokens : specialByFirst.values()) {
            tokens.sort(longestFirst);
        }
    }

    /** The longest special token whose name begins at {@code index}, or null. */
    @Nullable
    AddedToken specialAt(String text, int index) {
        List<AddedToken> candidates = specialByFirst.get(text.charAt(index));
        if (candidates != null) {
            for (AddedToken token : candidates) {
                if (text.startsWith(token.content(), index)) {
                    return token;
                }
            }
        }
        return null;
    }

    String mark(String untrusted) {
        String text = untrusted.replace(MARK, REPLACEMENT);
        StringBuilder marked = new StringBuilder(text.length() + 16);
        for (int i = 0; i < text.length(); i++) {
            marked.append(text.charAt(i));
            if (specialAt(text, i) != null) {
                marked.append(MARK);
            }
        }
        return marked.toString();
    }

    static String unmark(String text) {
        return text.indexOf(MARK) < 0 ? text : text.replace(String.valueOf(MARK), "");
    }

    /** The text with U+FFFD in place of halves of surrogate pairs, which are no characters and have no UTF-8 form. */
    static String wellFormed(String text) {
        StringBuilder repaired = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
                continue;
            }
            if (repaired == null) {
                repaired = new StringBuilder(text);
            }
            repaired.setCharAt(i, REPLACEMENT);
        }
        return repaired == null ? text : repaired.toString();
    }
}
