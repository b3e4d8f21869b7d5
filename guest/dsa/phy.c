// SPDX-License-Identifier: GPL-2.0
/*
 * PHYs: how a user port learns that a cable is plugged in
 *
 * A chip on a board has a PHY in each port, which the kernel asks over an MDIO
 * bus. This one's registers are made up, from whether the outer side is up.
 * They are not polled: the chip tells the PHY layer when something changes.
 */
#include <linux/mdio.h>
#include <linux/phy.h>
#include <linux/phy_fixed.h>
#include "dsa_netlab.h"

/* The kernel's software PHY; declared in drivers/net/phy/swphy.h. */
int swphy_read_reg(int reg, const struct fixed_phy_status *state);

static int dsn_phy_read(struct mii_bus *bus, int addr, int reg)
{
	struct dsn_switch *sw = bus->priv;
	struct fixed_phy_status status = {
		.link = READ_ONCE(sw->chip.port[addr].plugged),
		.speed = SPEED_1000,
		.duplex = DUPLEX_FULL,
	};

	return swphy_read_reg(reg, &status);
}

static int dsn_phy_write(struct mii_bus *bus, int addr, int reg, u16 value)
{
	return 0;
}

int dsn_phy_setup(struct dsn_switch *sw)
{
	struct mii_bus *bus = mdiobus_alloc();
	unsigned int i;
	int err;

	if (!bus)
		return -ENOMEM;
	bus->name = "dsa_netlab";
	bus->priv = sw;
	bus->parent = &sw->dev;
	bus->read = dsn_phy_read;
	bus->write = dsn_phy_write;
	bus->phy_mask = ~sw->ds.phys_mii_mask;
	for (i = 0; i < PHY_MAX_ADDR; i++)
		bus->irq[i] = PHY_MAC_INTERRUPT;
	snprintf(bus->id, MII_BUS_ID_SIZE, "%s", dev_name(&sw->dev));
	err = mdiobus_register(bus);
	if (err) {
		mdiobus_free(bus);
		return err;
	}
	sw->ds.user_mii_bus = bus;
	return 0;
}

void dsn_phy_teardown(struct dsn_switch *sw)
{
	mdiobus_unregister(sw->ds.user_mii_bus);
	mdiobus_free(sw->ds.user_mii_bus);
	sw->ds.user_mii_bus = NULL;
}

void dsn_phy_changed(struct dsn_switch *sw, unsigned int port)
{
	struct phy_device *phy;

	if (!sw->ds.user_mii_bus)
		return;
	phy = mdiobus_get_phy(sw->ds.user_mii_bus, port);
	if (phy && phy->attached_dev)
		phy_mac_interrupt(phy);
}
