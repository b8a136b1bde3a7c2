package dev.layercake.eval;

import java.util.ArrayDeque;
import java.util.Deque;

/** HTML or SVG that grows element by element; well-formed as XML, whatever text is put into it. */
final class Markup {
    private final StringBuilder text = new StringBuilder();
    private final Deque<String> open = new ArrayDeque<>();

    /**
     * Opens an element.
     *
     * @param attributes names and values in turn
     */
    Markup open(String tag, Object... attributes) {
        start(tag, attributes);
        text.append('>');
        open.push(tag);
        return this;
    }

    /** Closes the element that was opened last. */
    Markup close() {
        text.append("</").append(open.pop()).append('>');
        if (open.size() < 6) {
            text.append('\n');
        }
        return this;
    }

    /** An element without content. */
    Markup empty(String tag, Object... attributes) {
        start(tag, attributes);
        text.append("/>");
        return this;
    }

    /** An element that holds a text. */
    Markup element(String tag, String content, Object... attributes) {
        return open(tag, attributes).text(content).close();
    }

    Markup text(String content) {
        text.append(escaped(content));
        return this;
    }

    /** Finished markup of another one. */
    Markup add(Markup other) {
        text.append(other);
        return this;
    }

    private void start(String tag, Object... attributes) {
        text.append('<').append(tag);
        for (int index = 0; index < attributes.length; index += 2) {
            text.append(' ')
                    .append(attributes[index])
                    .append("=\"")
                    .append(escaped(String.valueOf(attributes[index + 1])))
                    .append('"');
        }
    }

    private static String escaped(String content) {
        StringBuilder escaped = new StringBuilder();
        content.codePoints().forEach(point -> {
            switch (point) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                // Not allowed in XML, whatever a model may have said.
                default ->
                    escaped.appendCodePoint(
                            (point < ' ' && point != '\n' && point != '\t')
                                            || (point >= 0xd800 && point < 0xe000)
                                            || (point & 0xfffe) == 0xfffe
                                    ? 0xfffd
                                    : point);
            }
        });
        return escaped.toString();
    }

    @Override
    public String toString() {
        if (!open.isEmpty()) {
            throw new IllegalStateException("not closed: " + open);
        }
        return text.toString();
    }
}
