package peers;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** A card transaction, with the fields that W7 reads. */
public final class Payment {
    public long ts;
    public String card;
    public double amount;

    public long getTs() {
        return ts;
    }

    public String getCard() {
        return card;
    }

    public double getAmount() {
        return amount;
    }

    /** The next one, or null at the end. */
    public static Payment read(JsonParser json) throws IOException {
        if (json.nextToken() == null) {
            return null;
        }
        Payment payment = new Payment();
        for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            JsonToken value = json.nextToken();
            switch (name) {
                case "ts" -> payment.ts = json.getLongValue();
                case "card" -> payment.card = json.getText();
                case "amount" -> payment.amount = json.getDoubleValue();
                default -> {
                    if (value.isStructStart()) {
                        json.skipChildren();
                    }
                }
            }
        }
        return payment;
    }
}
