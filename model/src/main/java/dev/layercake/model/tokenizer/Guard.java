package dev.layercake.model.tokenizer;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** The names of control tokens in a text: where they are, and how to mark those that must not be taken for tokens. */
final class Guard {
    /** U+FDD0 is a noncharacter: it is for use inside a program and never part of a text. */
    static final char MARK = '\uFDD0';

    private static final char REPLACEMENT = '\uFFFD';

    private final AddedTokenFinder finder;
    private final BitSet guarded = new BitSet();

    /** @param guarded the tokens whose names are marked */
    Guard(List<AddedToken> guarded) {
        finder = new AddedTokenFinder(
                guarded, guarded.stream().map(AddedToken::content).toList());
        for (AddedToken token : guarded) {
            this.guarded.set(token.id());
        }
    }

    /** The numbers of the tokens whose names are marked; never changed. */
    BitSet guarded() {
        return guarded;
    }

    String mark(String untrusted) {
        String text = untrusted.replace(MARK, REPLACEMENT);
        StringBuilder marked = new StringBuilder(text.length() + 16);
        for (int i = 0; i < text.length(); i++) {
            marked.append(text.charAt(i));
            if (finder.at(text, i) != null) {
                marked.append(MARK);
            }
        }
        return marked.toString();
    }

    /** A text without its marks, and where they were. */
    static final class Unmarked {
        private final String text;
        private final int[] marks;

        private Unmarked(String text, int[] marks) {
            this.text = text;
            this.marks = marks;
        }

        String text() {
            return text;
        }

        boolean hasMarks() {
            return marks.length > 0;
        }

        static Unmarked without(String text) {
            return new Unmarked(text, new int[0]);
        }

        static Unmarked of(String text) {
            if (text.indexOf(MARK) < 0) {
                return without(text);
            }
            StringBuilder plain = new StringBuilder(text.length());
            TokenList marks = new TokenList();
            for (int i = 0; i < text.length(); i++) {
                if (text.charAt(i) == MARK) {
                    marks.add(plain.length());
                } else {
                    plain.append(text.charAt(i));
                }
            }
            return new Unmarked(plain.toString(), marks.toArray());
        }

        /** Whether there was a mark behind {@code start} and before {@code end}. */
        boolean inside(int start, int end) {
            int at = Arrays.binarySearch(marks, start + 1);
            at = at < 0 ? -at - 1 : at;
            return at < marks.length && marks[at] < end;
        }
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
