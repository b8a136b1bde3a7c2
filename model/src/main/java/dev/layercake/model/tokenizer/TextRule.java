package dev.layercake.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.List;
import java.util.function.IntPredicate;

/** A change made to a text before it is cut: an entry of tokenizer.json's {@code normalizer}. Immutable. */
@FunctionalInterface
interface TextRule {
    String apply(String text, Workspace work);

    /** Whether it changes the ends of a text for being ends, so that it does something else to the parts of one. */
    default boolean looksAtEnds() {
        return false;
    }

    /** Several, one after the other. */
    static TextRule sequence(List<TextRule> rules) {
        List<TextRule> all = List.copyOf(rules);
        return new TextRule() {
            @Override
            public String apply(String text, Workspace work) {
                String changed = text;
                for (TextRule rule : all) {
                    int before = changed.length();
                    changed = rule.apply(changed, work);
                    work.watch.made(Math.max(0, changed.length() - before));
                }
                return changed;
            }

            @Override
            public boolean looksAtEnds() {
                return all.stream().anyMatch(TextRule::looksAtEnds);
            }
        };
    }

    static TextRule form(Normalizer.Form form) {
        return (text, work) -> Normalizer.normalize(text, form);
    }

    /** Puts something before every text that is not empty, unless it goes on after another. */
    static TextRule prepend(String prefix) {
        return (text, work) -> {
            if (text.isEmpty() || work.continues) {
                return text;
            }
            work.watch.made(prefix.length());
            return prefix + text;
        };
    }

    static TextRule replace(TextPattern pattern, String replacement) {
        return (text, work) -> {
            StringBuilder out = new StringBuilder(text.length() + 16);
            pattern.cut(text, 0, text.length(), work, (start, end, match) -> {
                if (match) {
                    work.watch.made(replacement.length());
                    out.append(replacement);
                } else {
                    out.append(text, start, end);
                }
            });
            return out.toString();
        };
    }

    /** White space at the ends goes. */
    static TextRule strip(boolean left, boolean right) {
        return new TextRule() {
            @Override
            public String apply(String text, Workspace work) {
                int start = 0;
                int end = text.length();
                while (left && start < end && Unicode.isSpace(text.charAt(start))) {
                    start++;
                }
                while (right && end > start && Unicode.isSpace(text.charAt(end - 1))) {
                    end--;
                }
                return text.substring(start, end);
            }

            @Override
            public boolean looksAtEnds() {
                return true;
            }
        };
    }

    /** Leaves out characters. */
    static TextRule without(IntPredicate unwanted) {
        return (text, work) -> {
            if (text.codePoints().noneMatch(unwanted)) {
                return text;
            }
            StringBuilder out = new StringBuilder(text.length());
            text.codePoints().filter(unwanted.negate()).forEach(out::appendCodePoint);
            return out.toString();
        };
    }

    /** Every character in lower case by itself, without regard to its neighbours. */
    static TextRule lowercase() {
        return (text, work) -> {
            StringBuilder out = new StringBuilder(text.length());
            for (int i = 0; i < text.length(); ) {
                int codePoint = text.codePointAt(i);
                i += Character.charCount(codePoint);
                if (codePoint == 0x130) {
                    // The one letter whose lower case is two characters.
                    out.append("i\u0307");
                } else {
                    out.appendCodePoint(Character.toLowerCase(codePoint));
                }
            }
            return out.toString();
        };
    }

    /** BERT's cleaning: control characters go, white space becomes a blank. */
    static TextRule clean() {
        return (text, work) -> {
            StringBuilder out = new StringBuilder(text.length());
            text.codePoints()
                    .filter(c -> c != 0 && c != 0xFFFD && !isControl(c))
                    .forEach(c -> out.appendCodePoint(Unicode.isSpace(c) ? ' ' : c));
            return out.toString();
        };
    }

    /** NMT's cleaning: some control characters go, others and characters without width become a blank. */
    static TextRule cleanAsNmt() {
        return (text, work) -> {
            StringBuilder out = new StringBuilder(text.length());
            text.codePoints()
                    .filter(c -> !isDroppedByNmt(c))
                    .forEach(c -> out.appendCodePoint(isBlankToNmt(c) ? ' ' : c));
            return out.toString();
        };
    }

    private static boolean isDroppedByNmt(int c) {
        return (c >= 1 && c <= 8) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
    }

    private static boolean isBlankToNmt(int c) {
        return switch (c) {
            case '\t', '\n', '\f', '\r', 0x1680, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD -> true;
            default -> c >= 0x200B && c <= 0x200F;
        };
    }

    /** The bytes of a text, written in {@link ByteAlphabet}. */
    static TextRule bytes() {
        return (text, work) -> {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            work.watch.made(utf8.length);
            char[] characters = new char[utf8.length];
            for (int i = 0; i < utf8.length; i++) {
                characters[i] = ByteAlphabet.characterOf(utf8[i] & 0xFF);
            }
            return new String(characters);
        };
    }

    private static boolean isControl(int c) {
        if (c == '\t' || c == '\n' || c == '\r') {
            return false;
        }
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.UNASSIGNED
                || type == Character.PRIVATE_USE
                || type == Character.SURROGATE;
    }

    /** Blanks around every Chinese character, as BERT has it. */
    static TextRule isolateChinese() {
        return (text, work) -> {
            StringBuilder out = new StringBuilder(text.length());
            text.codePoints().forEach(c -> {
                if (isChinese(c)) {
                    out.append(' ').appendCodePoint(c).append(' ');
                } else {
                    out.appendCodePoint(c);
                }
            });
            return out.toString();
        };
    }

    private static boolean isChinese(int c) {
        return (c >= 0x4E00 && c <= 0x9FFF)
                || (c >= 0x3400 && c <= 0x4DBF)
                || (c >= 0x20000 && c <= 0x2A6DF)
                || (c >= 0x2A700 && c <= 0x2B73F)
                || (c >= 0x2B740 && c <= 0x2B81F)
                || (c >= 0x2B920 && c <= 0x2CEAF)
                || (c >= 0xF900 && c <= 0xFAFF)
                || (c >= 0x2F800 && c <= 0x2FA1F);
    }
}
