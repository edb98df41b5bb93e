package peers;

/** A row as the engines of this bench write it: the place of a match as Leitmotif writes it, and the values that it emits. */
final class Row {
    private final StringBuilder text = new StringBuilder(128);

    /** Key (null if there is none), time of the first event or beginning of the window, time of the last event or end of the window. */
    Row(String key, long from, long to) {
        text.append("{\"key\":");
        quoted(key);
        text.append(",\"from\":").append(from).append(",\"to\":").append(to).append(",\"record\":{");
    }

    Row with(String name, String value) {
        name(name);
        quoted(value);
        return this;
    }

    Row with(String name, long value) {
        name(name);
        text.append(value);
        return this;
    }

    Row with(String name, double value) {
        name(name);
        text.append(value);
        return this;
    }

    /** The line, without its end. */
    String line() {
        return text.append("}}").toString();
    }

    private void name(String name) {
        if (text.charAt(text.length() - 1) != '{') {
            text.append(',');
        }
        text.append('"').append(name).append("\":");
    }

    /** Keys of the workloads are letters and digits; nothing in them needs escaping. */
    private void quoted(String value) {
        if (value == null) {
            text.append("null");
        } else {
            text.append('"').append(value).append('"');
        }
    }
}
