package dev.layercake.model.text;

import dev.layercake.model.text.JinjaToken.Kind;
import java.util.List;

/** A place in the list of tokens, with the questions that both parsers ask there. */
final class JinjaCursor {
    /** Deeper nesting than this is refused, so that parsing cannot exhaust the stack. */
    private static final int MAX_NESTING = 200;

    private final List<JinjaToken> tokens;
    private int position;
    private int nesting;

    JinjaCursor(List<JinjaToken> tokens) {
        this.tokens = tokens;
    }

    JinjaToken current() {
        return tokens.get(position);
    }

    JinjaToken following() {
        return tokens.get(Math.min(position + 1, tokens.size() - 1));
    }

    JinjaToken next() {
        JinjaToken token = current();
        if (position < tokens.size() - 1) {
            position++;
        }
        return token;
    }

    int line() {
        return current().line();
    }

    boolean atOperator(String symbol) {
        return current().isOperator(symbol);
    }

    boolean atName(String name) {
        return current().isName(name);
    }

    boolean skipOperator(String symbol) {
        if (atOperator(symbol)) {
            next();
            return true;
        }
        return false;
    }

    boolean skipName(String name) {
        if (atName(name)) {
            next();
            return true;
        }
        return false;
    }

    void expectOperator(String symbol) {
        if (!skipOperator(symbol)) {
            throw unexpected("'" + symbol + "'");
        }
    }

    void expectName(String name) {
        if (!skipName(name)) {
            throw unexpected("'" + name + "'");
        }
    }

    JinjaToken expect(Kind kind, String what) {
        if (!current().is(kind)) {
            throw unexpected(what);
        }
        return next();
    }

    String name() {
        return expect(Kind.NAME, "a name").text();
    }

    JinjaException unexpected(String wanted) {
        return JinjaException.of("expected " + wanted + ", found " + current().shown(), line());
    }

    void enter() {
        if (++nesting > MAX_NESTING) {
            throw JinjaException.of("nested deeper than " + MAX_NESTING + " levels", line());
        }
    }

    void leave() {
        nesting--;
    }
}
