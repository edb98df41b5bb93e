package peers;

import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;

/** What a sensor says, with the fields that W3, W4 and W6 read. */
public final class Reading {
    public long ts;
    public String device;
    public String kind;
    public double value;

    public long getTs() {
        return ts;
    }

    public String getDevice() {
        return device;
    }

    public String getKind() {
        return kind;
    }

    public double getValue() {
        return value;
    }

    /** The next one, or null at the end. */
    public static Reading read(JsonParser json) throws IOException {
        return Fields.read(json, new Reading(), Reading::set);
    }

    private void set(String name, JsonParser json) throws IOException {
        switch (name) {
            case "ts" -> ts = json.getLongValue();
            case "device" -> device = json.getText();
            case "kind" -> kind = json.getText();
            case "value" -> value = json.getDoubleValue();
            default -> json.skipChildren();
        }
    }
}
