package dev.layercake.kv.policy;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.IntPredicate;

/**
 * A policy as it is written: a name and settings, {@code cake(budget=1024,window=32)}. Only the form is checked here; what
 * names and keys exist is {@link Policies}' matter.
 *
 * @param name of the policy
 * @param settings in the order in which they were given
 */
record PolicySpec(String name, SequencedMap<String, String> settings) {
    PolicySpec {
        settings = new LinkedHashMap<>(settings);
    }

    /**
     * Reads {@code name} or {@code name(key=value,...)}, one or several with plus signs between them; blanks are allowed. A
     * value is made of letters, digits and {@code . - _ / \ : ~}; one with other characters, a path with blanks for example,
     * stands in double quotes and may then hold anything but a double quote.
     *
     * @throws LayercakeException bad input, with the place
     */
    static List<PolicySpec> parse(String text) {
        return new Reader(text).specs();
    }

    @Override
    public String toString() {
        if (settings.isEmpty()) {
            return name;
        }
        StringBuilder text = new StringBuilder(name).append('(');
        for (Map.Entry<String, String> setting : settings.sequencedEntrySet()) {
            if (text.charAt(text.length() - 1) != '(') {
                text.append(',');
            }
            text.append(setting.getKey()).append('=').append(quoted(setting.getValue()));
        }
        return text.append(')').toString();
    }

    /** A value as it is written: in double quotes only if it must be. */
    private static String quoted(String value) {
        return !value.isEmpty() && value.chars().allMatch(PolicySpec::plain) ? value : '"' + value + '"';
    }

    /** Whether a value may hold a character without being quoted. */
    private static boolean plain(int c) {
        return wordPart(c) || "/\\:~".indexOf(c) >= 0;
    }

    private static boolean wordPart(int c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || ".-_".indexOf(c) >= 0;
    }

    /** Reads one spec from left to right. */
    private static final class Reader {
        private final String text;
        private int at;

        Reader(String text) {
            this.text = text;
        }

        List<PolicySpec> specs() {
            List<PolicySpec> specs = new ArrayList<>();
            do {
                specs.add(spec());
            } while (accept('+'));
            if (at < text.length()) {
                boolean settings = text.lastIndexOf(')', at) > text.lastIndexOf('+', at);
                throw unexpected(settings ? "the end" : "'(' or the end");
            }
            return specs;
        }

        private PolicySpec spec() {
            String name = word("the name of a policy");
            SequencedMap<String, String> settings = new LinkedHashMap<>();
            if (accept('(')) {
                if (!accept(')')) {
                    do {
                        setting(name, settings);
                    } while (accept(','));
                    if (!accept(')')) {
                        throw unexpected("',' or ')'");
                    }
                }
            }
            return new PolicySpec(name, settings);
        }

        private void setting(String name, Map<String, String> settings) {
            String key = word("a key");
            if (!accept('=')) {
                throw unexpected("'=' after " + key);
            }
            String value = value("a value for " + key);
            if (settings.putIfAbsent(key, value) != null) {
                throw LayercakeException.badInput("Policy " + name + ": " + key + " is given twice; give it once.");
            }
        }

        private String word(String what) {
            return run(what, PolicySpec::wordPart);
        }

        private String value(String what) {
            if (!accept('"')) {
                return run(what, PolicySpec::plain);
            }
            int end = text.indexOf('"', at);
            if (end < 0) {
                at = text.length();
                throw unexpected("'\"' at the end of " + what);
            }
            String value = text.substring(at, end);
            at = end + 1;
            return value;
        }

        /** As many of the characters asked for as follow, at least one. */
        private String run(String what, IntPredicate part) {
            skipBlanks();
            int start = at;
            while (at < text.length() && part.test(text.charAt(at))) {
                at++;
            }
            if (at == start) {
                throw unexpected(what);
            }
            return text.substring(start, at);
        }

        private boolean accept(char wanted) {
            skipBlanks();
            if (at < text.length() && text.charAt(at) == wanted) {
                at++;
                return true;
            }
            return false;
        }

        private void skipBlanks() {
            while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
                at++;
            }
        }

        private LayercakeException unexpected(String expected) {
            String found = at < text.length()
                    ? "'" + text.substring(at, text.offsetByCodePoints(at, 1)) + "' at character " + (at + 1)
                    : "the end of the text";
            return LayercakeException.badInput("The policy \"" + text + "\" cannot be read: expected " + expected
                    + ", found " + found + "; write it like cake(budget=1024,window=32).");
        }
    }
}
