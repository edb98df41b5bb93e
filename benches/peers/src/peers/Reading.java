package peers;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
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
        if (json.nextToken() == null) {
            return null;
        }
        Reading reading = new Reading();
        for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            JsonToken value = json.nextToken();
            switch (name) {
                case "ts" -> reading.ts = json.getLongValue();
                case "device" -> reading.device = json.getText();
                case "kind" -> reading.kind = json.getText();
                case "value" -> reading.value = json.getDoubleValue();
                default -> {
                    if (value.isStructStart()) {
                        json.skipChildren();
                    }
                }
            }
        }
        return reading;
    }
}
